using System.Diagnostics;

namespace FuncScaler.Runtime.Leasing;

/// <summary>Traces of what a worker does besides serving; free while nobody listens.</summary>
public static class LeasingTelemetry
{
    /// <summary>The source's name, for an exporter to listen to.</summary>
    public const string Name = "FuncScaler.Leasing";

    internal static ActivitySource Source { get; } = new(Name);
}
