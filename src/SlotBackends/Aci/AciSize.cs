namespace FuncScaler.SlotBackends.Aci;

/// <summary>Memory and cores as Azure Container Instances accepts them: both in tenths.</summary>
/// <param name="MemoryGb">GB.</param>
/// <param name="Cores">Cores.</param>
internal readonly record struct AciSize(double MemoryGb, double Cores)
{
    /// <summary>What the group counts as in the region's quota of cores.</summary>
    public double QuotaCores => Math.Max(1, Cores);

    /// <summary>The smallest size that holds the function: never less memory than it asks for.</summary>
    /// <exception cref="SlotBackendException">It asks for more than a group can have.</exception>
    public static AciSize Of(AciOptions options, FunctionMeta function)
    {
        var memory = RoundUp(function.MemoryGb);
        return memory <= options.MaxMemoryGb
            ? new AciSize(memory, Math.Min(RoundUp(function.MemoryGb * options.CpuPerGb), Math.Floor(options.MaxCores * 10) / 10))
            : throw new SlotBackendException(new SlotFailure(
                FailureKind.Permanent,
                $"function {function.Key} asks for {function.MemoryMb} MB, and a container group has at most {options.MaxMemoryGb} GB (maxMemoryGb)"));
    }

    // Without the slack, 0.1 GB computed as 0.10000000000000002 would become 0.2.
    private static double RoundUp(double value) => Math.Max(1, Math.Ceiling((value * 10) - 1e-9)) / 10;
}
