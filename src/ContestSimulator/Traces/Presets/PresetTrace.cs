namespace FuncScaler.ContestSimulator.Traces.Presets;

/// <summary>
/// A generated trace: the same for the same name and seed, whatever its length; a longer one begins with the shorter one. Made by
/// <see cref="PresetCatalog.Create"/>.
/// </summary>
public sealed class PresetTrace : ITrace
{
    /// <summary>Where the trace begins, ms since the Unix epoch: 2024-01-01T00:00:00Z.</summary>
    public const long BeginMs = 1_704_067_200_000;

    private readonly PresetModel _model;
    private readonly long _lengthMs;

    internal PresetTrace(string name, long seed, double lengthSeconds, PresetModel model)
    {
        Name = name;
        Seed = seed;
        LengthSeconds = lengthSeconds;
        _model = model;
        _lengthMs = (long)Math.Round(lengthSeconds * 1000);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>What everything random in it is derived from.</summary>
    public long Seed { get; }

    /// <summary>Requests start in [0, this) s from the trace's beginning.</summary>
    public double LengthSeconds { get; }

    /// <inheritdoc/>
    public IReadOnlyList<TraceFunction> Functions => _model.Functions;

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        const int Told = 4096;
        var (share, number) = (TraceReading.Current, 0);
        var merge = new SourceMerge(_model.CreateSources());
        for (var next = merge.Earliest; next.StartMs < _lengthMs; next = merge.Earliest)
        {
            if (share is not null && number++ % Told == 0)
            {
                share((double)next.StartMs / _lengthMs);
            }

            yield return new TraceRequest(next.Function, (BeginMs + next.StartMs) * 1000, next.DurationMs * 1000, next.StatusCode);
            merge.Advance();
        }
    }
}

/// <summary>What a preset's generator is: functions, and fresh sources of requests for every pass.</summary>
internal abstract class PresetModel
{
    public abstract IReadOnlyList<TraceFunction> Functions { get; }

    public abstract IReadOnlyList<RequestSource> CreateSources();
}

/// <summary>Which cost regime a preset is made for.</summary>
internal enum PresetEdition
{
    /// <summary>As published.</summary>
    Normal,

    /// <summary>The same arrivals with init of 15 to 29 s and executions of seconds.</summary>
    Long,
}
