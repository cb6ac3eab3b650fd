using System.Diagnostics.CodeAnalysis;
using FuncScaler.Policies;

namespace FuncScaler.Runtime;

/// <summary>
/// What stands behind the contract's service: the runtime in a service of its own, leased pools in a Functions worker. Safe for
/// concurrent use.
/// </summary>
public interface IScaler
{
    /// <summary>Gives the request an instance, at once where one is idle, else as soon as one is free or ready.</summary>
    /// <param name="function">The function.</param>
    /// <param name="request">The request; repeating one that waits or holds an instance leads to the same instance.</param>
    /// <param name="timeout">How long the caller is ready to wait; null when it did not say.</param>
    /// <param name="cancellationToken">The caller has gone away: an instance that it was granted meanwhile is taken back.</param>
    /// <exception cref="AssignRejectedException">No instance, and why.</exception>
    ValueTask<AssignedInstance> AssignAsync(FunctionMeta function, RequestId request, TimeSpan? timeout, CancellationToken cancellationToken);

    /// <summary>Takes an instance back.</summary>
    ReleaseOutcome Release(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result);

    /// <summary>Every slot in the inventory, with the function it belongs to; the key is empty for those nobody owns.</summary>
    IReadOnlyList<(MetaKey Function, SlotSnapshot Slot)> GetInventory();

    /// <summary>What the policy knows of a function, is up to and decided last.</summary>
    /// <param name="function">The function.</param>
    /// <param name="explanation">The explanation.</param>
    /// <param name="whyNot">Why there is none: the function was never asked for, or its policy does not explain.</param>
    bool TryExplain(MetaKey function, [NotNullWhen(true)] out PolicyExplanation? explanation, [NotNullWhen(false)] out string? whyNot);

    /// <summary>
    /// One caller of a request has gone away, or its reply could not be delivered. The last caller's going rejects the request, or takes
    /// the instance back that it was granted.
    /// </summary>
    void Abandon(MetaKey function, RequestId request);

    /// <summary>The state now.</summary>
    /// <param name="page">Which functions to describe; the default is the first 1,000. Totals are of all.</param>
    ScalerStats GetStats(StatsPage page = default);
}
