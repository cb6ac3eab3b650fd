using System.Diagnostics.Metrics;

namespace FuncScaler.Runtime.Telemetry;

/// <summary>
/// The metrics that are read off a runtime when somebody collects: they cost nothing between collections, and their counters are the
/// same as those of <c>GET /api/stats</c>.
/// </summary>
internal sealed class RuntimeMetrics : IDisposable
{
    private const string Outcome = "outcome";
    private const string Call = "call";

    private readonly Meter _meter = new(ScalerTelemetry.Name);
    /// <summary>How long one reading serves: longer than a collection takes, shorter than any interval between two.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private readonly Func<RuntimeReading> _read;
    private readonly TimeProvider _time;
    private RuntimeReading? _reading;
    private long _readAt;

    /// <param name="read">Reads the runtime. It walks over all functions, so one reading serves all instruments of a collection.</param>
    /// <param name="time">The clock.</param>
    public RuntimeMetrics(Func<RuntimeReading> read, TimeProvider time)
    {
        _read = read;
        _time = time;
        _meter.CreateObservableCounter("funcscaler.assigns", Assigns, "{request}", "Requests answered, by how they came by their instance");
        _meter.CreateObservableCounter("funcscaler.releases", Releases, "{request}", "Instances given back by callers");
        _meter.CreateObservableCounter("funcscaler.arrivals", () => Read().Counters.Assigns, "{request}", "Requests that arrived");
        _meter.CreateObservableGauge("funcscaler.arrivals.predicted", () => Known(Read().PredictedPerSecond), "{request}/s", "Arrivals per second that the policy expects");
        _meter.CreateObservableGauge("funcscaler.wait.price", () => Known(Read().PriceGbsPerSecond), "GBy", "Memory time that the policy pays for a second less of waiting");
        _meter.CreateObservableUpDownCounter("funcscaler.requests.waiting", () => Read().Waiting, "{request}", "Requests without an instance");
        _meter.CreateObservableUpDownCounter("funcscaler.requests.executing", () => Read().Executing, "{request}", "Requests that hold an instance");
        _meter.CreateObservableUpDownCounter("funcscaler.instances", Instances, "{instance}", "Instances, by state");
        _meter.CreateObservableUpDownCounter("funcscaler.instances.idle.memory", () => Read().IdleGb, "GBy", "Memory of idle instances");
        _meter.CreateObservableUpDownCounter("funcscaler.memory_time", MemoryTime, "GBy.s", "Memory time of instances: executing, and the rest (idle, being made, unreported)");
        _meter.CreateObservableCounter("funcscaler.policy.decisions", Decisions, "{decision}", "What the policy decided");
        _meter.CreateObservableCounter("funcscaler.backend.calls", BackendCalls, "{call}", "Calls of the backend");
        _meter.CreateObservableCounter("funcscaler.backend.failures", () => Read().Counters.BackendFailures, "{call}", "Calls of the backend that failed");
        _meter.CreateObservableGauge("funcscaler.budget.creates_left", () => Known(Read().Budget?.CreatesLeft), "{call}", "Creations that the platform grants at once");
        _meter.CreateObservableGauge("funcscaler.budget.create_price", () => Known(Read().Budget?.CreatePriceSeconds), "s", "Waiting that one more creation is expected to cause");
        _meter.CreateObservableUpDownCounter("funcscaler.budget.held", Held, "{call}", "Calls that wait for the platform's budget");
        _meter.CreateObservableCounter("funcscaler.budget.throttled", () => Read().Counters.Throttled, "{call}", "Calls that the platform has sent back for now");
    }

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<double>> Known(double? value) => value is { } known ? [new Measurement<double>(known)] : [];

    private static Measurement<T> Of<T>(T value, string tag, string name)
        where T : struct => new(value, new KeyValuePair<string, object?>(tag, name));

    private RuntimeReading Read()
    {
        lock (_gate)
        {
            if (_reading is null || _time.GetElapsedTime(_readAt) >= Fresh)
            {
                _reading = _read();
                _readAt = _time.GetTimestamp();
            }

            return _reading;
        }
    }

    private IEnumerable<Measurement<long>> Assigns()
    {
        var counters = Read().Counters;
        return [Of(counters.Warm, Outcome, "warm"), Of(counters.Waited, Outcome, "waited"), Of(counters.Cold, Outcome, "cold"), Of(counters.Rejected, Outcome, "rejected")];
    }

    private IEnumerable<Measurement<long>> Releases()
    {
        var counters = Read().Counters;
        return [Of(counters.Releases, Outcome, "released"), Of(counters.UnknownReleases, Outcome, "unknown")];
    }

    private IEnumerable<Measurement<int>> Instances()
    {
        var reading = Read();
        return [Of(reading.Busy, "state", "busy"), Of(reading.Idle, "state", "idle"), Of(reading.InFlight, "state", "in_flight")];
    }

    private IEnumerable<Measurement<double>> MemoryTime()
    {
        var reading = Read();
        return [Of(reading.ExecutionGbs, "use", "execution"), Of(reading.SlotGbs - reading.ExecutionGbs, "use", "idle")];
    }

    private IEnumerable<Measurement<long>> Decisions()
    {
        var counters = Read().Counters;
        return
        [
            Of(counters.CreatesOnMiss, "decision", "create_on_miss"),
            Of(counters.CreatesAsked - counters.CreatesOnMiss, "decision", "create_ahead"),
            Of(counters.Waits, "decision", "wait"),
            Of(counters.GivenBack, "decision", "give_back"),
        ];
    }

    private IEnumerable<Measurement<long>> BackendCalls()
    {
        var counters = Read().Counters;
        return [Of(counters.Creates, Call, "create"), Of(counters.Destroys, Call, "destroy")];
    }

    private IEnumerable<Measurement<int>> Held() =>
        Read().Budget is { } budget ? [Of(budget.HeldCreates, Call, "create"), Of(budget.HeldDestroys, Call, "destroy")] : [];
}
