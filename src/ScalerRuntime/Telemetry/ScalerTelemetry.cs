using System.Diagnostics;
using System.Diagnostics.Metrics;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Service;

namespace FuncScaler.Runtime.Telemetry;

/// <summary>What a comparison with the backend's list has found.</summary>
public enum ReconcileFinding
{
    /// <summary>A slot of a former run, of a known function: taken in.</summary>
    Adopted,

    /// <summary>A slot that no function owns: to be destroyed.</summary>
    Leaked,

    /// <summary>A slot of the inventory that the backend does not know any more.</summary>
    Lost,
}

/// <summary>
/// Metrics and traces of a scaler, by names that docs/how-to/operations.md explains. What is counted as it happens is here;
/// <see cref="RuntimeMetrics"/> has what is read off a runtime. Free, or nearly, while nobody listens.
/// </summary>
public static class ScalerTelemetry
{
    /// <summary>The name of the meter and of the activity source, for an exporter to listen to.</summary>
    public const string Name = "FuncScaler";

    // Assigns take from microseconds (warm) to minutes (cold, of large images).
    private static readonly double[] DurationBounds =
        [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

    private static readonly Meter Meter = new(Name);

    private static readonly ActivitySource Source = new(Name);

    private static readonly Counter<long> Findings = Meter.CreateCounter<long>(
        "funcscaler.reconcile.findings", "{slot}", "What comparing the inventory with the backend's list has found");

    internal static Histogram<double> AssignDuration { get; } = Meter.CreateHistogram(
        "funcscaler.assign.duration",
        "s",
        "From a request's arrival to its instance or rejection",
        tags: null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationBounds });

    /// <summary>Counts what a comparison with the backend's list has found.</summary>
    public static void CountFinding(ReconcileFinding finding, int slots)
    {
        // Zeros too: an operator must be able to tell "nothing found" from "not looked".
        Findings.Add(slots, new KeyValuePair<string, object?>("finding", finding switch
        {
            ReconcileFinding.Adopted => "adopted",
            ReconcileFinding.Leaked => "leaked",
            _ => "lost",
        }));
    }

    /// <summary>Reads the clock only where somebody listens.</summary>
    internal static void RecordWarmAssign(CoreExecutor executor, long askedUs, GrantKind kind)
    {
        if (AssignDuration.Enabled)
        {
            RecordAssign(executor.NowUs - askedUs, kind);
        }
    }

    internal static void RecordAssign(long durationUs, GrantKind kind) =>
        AssignDuration.Record(durationUs / 1e6, new KeyValuePair<string, object?>("outcome", ScalerService.StartName(kind)));

    internal static void RecordRejected(long durationUs) =>
        AssignDuration.Record(durationUs / 1e6, new KeyValuePair<string, object?>("outcome", "rejected"));

    internal static Activity? StartActivity(string name, FunctionMeta? function = null)
    {
        var activity = Source.StartActivity(name);
        if (activity is not null && function is not null)
        {
            activity.SetTag("funcscaler.function", function.Key.Value);
            activity.SetTag("funcscaler.memory_mb", function.MemoryMb);
        }

        return activity;
    }
}
