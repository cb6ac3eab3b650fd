namespace FuncScaler.Model;

/// <summary>What the scaler is told about a function.</summary>
/// <param name="Key">The function.</param>
/// <param name="Runtime">The language runtime's name, for example "python"; may be empty.</param>
/// <param name="TimeoutSeconds">How long one execution may take, s; 0 when unlimited or unknown.</param>
/// <param name="MemoryMb">The memory of each of its slots, MB; at least 1.</param>
public sealed record FunctionMeta(MetaKey Key, string Runtime, int TimeoutSeconds, int MemoryMb)
{
    /// <summary>The memory of one slot, GB (1 GB = 1024 MB, as the contest counts).</summary>
    public double MemoryGb => MemoryMb / 1024.0;
}
