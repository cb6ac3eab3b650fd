namespace FuncScaler.Model;

/// <summary>What the scaler is told about a function.</summary>
/// <param name="Key">The function.</param>
/// <param name="Runtime">The language runtime's name, for example "python"; may be empty.</param>
/// <param name="TimeoutSeconds">How long one execution may take, s; 0 when unlimited or unknown.</param>
/// <param name="MemoryMb">The memory of each of its slots, MB; at least 1.</param>
/// <param name="MaxConcurrency">
/// The most requests that one of its instances serves at a time, 1 to <see cref="MostConcurrency"/>. Default 1, as in the contest of 2023.
/// </param>
public sealed record FunctionMeta(MetaKey Key, string Runtime, int TimeoutSeconds, int MemoryMb, int MaxConcurrency = 1)
{
    /// <summary>The highest <see cref="MaxConcurrency"/>.</summary>
    public const int MostConcurrency = 1000;

    /// <summary>The memory of one slot, GB (1 GB = 1024 MB, as the contest counts).</summary>
    public double MemoryGb => MemoryMb / 1024.0;

    /// <summary>Says what is wrong with a number of requests an instance; null where nothing is.</summary>
    public static string? WhyNoConcurrency(long maxConcurrency) => maxConcurrency is >= 1 and <= MostConcurrency
        ? null
        : $"{maxConcurrency} requests an instance are not possible: give a whole number from 1 to {MostConcurrency}";

    /// <exception cref="ArgumentOutOfRangeException">The memory or the number of requests an instance is out of its range.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MemoryMb, 1);
        if (WhyNoConcurrency(MaxConcurrency) is { } wrong)
        {
            throw new ArgumentOutOfRangeException(nameof(MaxConcurrency), $"Function {Key}: {wrong}.");
        }
    }
}
