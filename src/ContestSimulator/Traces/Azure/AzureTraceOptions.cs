using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.ContestSimulator.Traces.Azure;

/// <summary>What the Azure traces do not tell, and how it is made up.</summary>
public sealed record AzureTraceOptions
{
    /// <summary>What everything random is derived from.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Which day of the 2019 trace, 1 to 14, where a folder has several.</summary>
    public int Day { get; init; } = 1;

    /// <summary>The memory of functions whose memory is not in the data, MB; 1 or more.</summary>
    public int MemoryMb { get; init; } = 256;

    /// <summary>The execution of functions whose durations are not in the data, ms; 0 or more.</summary>
    public double DurationMs { get; init; } = 500;

    /// <summary>
    /// Scales the init durations, which no Azure trace has; 0 or more. At 1 they are log-normal around a median that grows with memory
    /// (128 MB 180 ms, 512 MB 0.8 s, 1 GB and more 1.8 s) and spread as widely as in the contest's dataSet_3. There, too, init grows
    /// with memory up to 1 GB, and does not hang on how long executions are.
    /// </summary>
    public double InitFactor { get; init; } = 1;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Day, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Day, 14);
        ArgumentOutOfRangeException.ThrowIfLessThan(MemoryMb, 1);
        RequireNotNegative(DurationMs, nameof(DurationMs));
        RequireNotNegative(InitFactor, nameof(InitFactor));
    }

    internal TraceFunction ToFunction(string key, int memoryMb, TraceRandom random)
    {
        const double leastMs = 10;
        const double greatestMs = 120_000;
        var ms = random.NextLogNormal(180 * Math.Pow(Math.Min(memoryMb, 1024) / 128.0, 1.1), 1.1);
        var initUs = (long)(Math.Round(Math.Clamp(ms, leastMs, greatestMs) * InitFactor) * 1000);
        return new TraceFunction(new FunctionMeta(new MetaKey(key), "", 0, memoryMb), initUs);
    }

    private static void RequireNotNegative(double value, string name)
    {
        if (value is not (>= 0 and <= 1e9))
        {
            throw new ArgumentOutOfRangeException(name, value, "It must be 0 or more, and finite.");
        }
    }
}
