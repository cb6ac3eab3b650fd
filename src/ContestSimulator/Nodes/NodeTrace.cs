namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>The statement's kinds of functions.</summary>
public enum NodeFunctionKind
{
    /// <summary>Answers at once.</summary>
    Hello,

    /// <summary>Computes.</summary>
    Cpu,

    /// <summary>Fills memory, and computes a little.</summary>
    Memory,

    /// <summary>Waits without computing.</summary>
    Sleep,
}

/// <summary>A function of a <see cref="NodeTrace"/>.</summary>
/// <param name="Meta">What a scheduler is told.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Pattern">How it is called, in a word.</param>
public sealed record NodeFunction(FunctionMeta Meta, NodeFunctionKind Kind, string Pattern);

/// <summary>A request of a <see cref="NodeTrace"/>.</summary>
/// <param name="Function">The index of its function.</param>
/// <param name="StartUs">When it arrives, µs since the start.</param>
/// <param name="CpuSeconds">What it computes, seconds of one processor.</param>
/// <param name="SleepSeconds">How long it waits before, s.</param>
/// <param name="MemoryMb">The memory it uses, MB.</param>
public readonly record struct NodeRequest(int Function, long StartUs, double CpuSeconds, double SleepSeconds, int MemoryMb)
{
    /// <summary>What it takes alone in a container of its own on an empty node, s.</summary>
    public double AloneSeconds(double cpus) => SleepSeconds + (CpuSeconds / Math.Min(1, cpus));
}

/// <summary>Functions and their requests in order of arrival; what each request needs is told, how long it takes depends on what runs beside it.</summary>
/// <param name="Name">A short name for tables.</param>
/// <param name="Functions">The functions.</param>
/// <param name="Requests">The requests, their starts never decreasing.</param>
/// <param name="LengthUs">How long the run lasts, µs: nodes that are not given back cost until then.</param>
public sealed record NodeTrace(string Name, IReadOnlyList<NodeFunction> Functions, IReadOnlyList<NodeRequest> Requests, long LengthUs);
