using FuncScaler.ContestSimulator.Virtual;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>What a comparison of policies on one trace has come to, ready to be written by <see cref="HtmlReportWriter"/>.</summary>
public sealed record SimulationReport
{
    /// <summary>The trace's name.</summary>
    public required string TraceName { get; init; }

    /// <summary>The trace's requests.</summary>
    public required long Requests { get; init; }

    /// <summary>What was simulated with which options, as the reader would type it.</summary>
    public required string Options { get; init; }

    /// <summary>What else decides the figures, by name: the seed, the tail, the price and so on, those that were not typed too.</summary>
    public IReadOnlyList<(string Name, string Value)> Settings { get; init; } = [];

    /// <summary>The version and the commit that have made it. There is no time in it: the same input gives the same bytes.</summary>
    public required string Version { get; init; }

    /// <summary>The same figures as a JSON document, to be saved from the page; null for none.</summary>
    public string? Document { get; init; }

    /// <summary>One result per policy, of the same trace.</summary>
    public required IReadOnlyList<VirtualResult> Results { get; init; }

    /// <summary>What no scaler betters on the trace; null when that is not known.</summary>
    public ClairvoyantBound? Bound { get; init; }

    /// <summary>What the measures of memory against waiting take for prices.</summary>
    public MeasurePrices Prices { get; init; } = new();

    /// <summary>The points of the plot of cold starts against wasted memory; without any there is no plot.</summary>
    public IReadOnlyList<SweepPoint> Sweep { get; init; } = [];

    /// <summary>How many functions the tables name, the busiest; the others share a row. At least 1.</summary>
    public int MaxFunctionRows { get; init; } = 200;
}

/// <summary>Which sweep a point belongs to.</summary>
public enum SweepFamily
{
    /// <summary>One keep-alive for all functions.</summary>
    Fixed,

    /// <summary>The hybrid histogram of the ATC'20 paper, by its range.</summary>
    Hybrid,

    /// <summary>No sweep: a policy by itself.</summary>
    Policy,
}

/// <summary>One run in the plot of cold starts against wasted memory.</summary>
/// <param name="Family">The sweep; points of one are joined in the order given, except for <see cref="SweepFamily.Policy"/>.</param>
/// <param name="Label">What stands beside the point, for example "10 min"; short.</param>
/// <param name="P75ColdShare">The cold-start share that three quarters of the functions do not exceed, 0 to 1.</param>
/// <param name="WastedMemoryRelative">Wasted memory relative to a keep-alive of 10 minutes, whose own is 1.</param>
public readonly record struct SweepPoint(SweepFamily Family, string Label, double P75ColdShare, double WastedMemoryRelative)
{
    /// <summary>What a caller waits in Assign and Idle together, the mean, ms.</summary>
    public double MeanWaitMs { get; init; }
}
