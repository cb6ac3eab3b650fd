using FuncScaler.Runtime.Execution;

namespace FuncScaler.Runtime.Telemetry;

/// <summary>A runtime's state at one moment, as its metrics show it.</summary>
internal sealed class RuntimeReading
{
    public required RequestCounters Counters { get; init; }

    public required BudgetStats? Budget { get; init; }

    public int Busy { get; set; }

    public int Idle { get; set; }

    public int InFlight { get; set; }

    public int Waiting { get; set; }

    /// <summary>Requests that hold an instance; several may hold the same.</summary>
    public int Executing { get; set; }

    /// <summary>Memory of the idle instances, GB.</summary>
    public double IdleGb { get; set; }

    /// <summary>Memory time of all slots since the start, GB·s.</summary>
    public required double SlotGbs { get; init; }

    /// <summary>The part of it that callers have reported as execution, GB·s.</summary>
    public required double ExecutionGbs { get; init; }

    /// <summary>Sum of what the policies expect; null where none says.</summary>
    public double? PredictedPerSecond { get; set; }

    /// <summary>What the policy pays for a second of waiting, GB·s; null where it does not say.</summary>
    public double? PriceGbsPerSecond { get; set; }
}
