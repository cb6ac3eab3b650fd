namespace FuncScaler.Pool;

/// <summary>What a <see cref="ScalerCore"/> asks of its pools and tells them: which requests and slots are where, and which pool is let go.</summary>
public sealed partial class SlotPool
{
    /// <summary>Whether the last request of the function came with other settings: what is here serves those who hold it or wait, and goes.</summary>
    internal bool IsFormer { get; private set; }

    /// <summary>Whether the pool has neither slots nor requests, nor expects any.</summary>
    internal bool IsEmpty => _inventory.Count == 0 && _line.Count == 0 && (IsFormer || Expected is not { Any: true });

    /// <summary>
    /// Whether nothing would be lost with an empty pool: no instance of it was ever ready, its policy plans nothing, and no failure is to be
    /// remembered.
    /// </summary>
    internal bool KnowsNothing => Statistics.Init.Count == 0 && !_plansAhead && !_pause.Failing && _pause.UntilUs <= _nowUs;

    /// <summary>The pools of its function.</summary>
    internal FunctionPools? Pools { get; set; }

    /// <summary>
    /// The grant of the next request, whichever it is; null where that is to be decided when it comes. What is written down is so before its caller
    /// is told: else the next run would give the instance away again.
    /// </summary>
    internal Effect? NextGrant =>
        BusyCount == 0 && _line.Count == 0 && !_draining && !Suspended && _registry.Journal is null && _options.Placement is null && _inventory.LastFreed is { } slot
            ? Effect.Grant(Function, default, slot.Ticket, slot.Instance, slot.BackendId, GrantKind.Warm, slot.Address)
            : null;

    /// <summary>Whether the core has let it go.</summary>
    internal bool IsForgotten { get; private set; }

    /// <summary>Since when it is among the empty pools of its core, µs.</summary>
    internal long EmptySinceUs { get; set; }

    /// <summary>Its place among the empty pools of its core; null for none.</summary>
    internal LinkedListNode<SlotPool>? EmptyPlace { get; set; }

    /// <summary>Whether the core will look at it when the backend works again.</summary>
    internal bool IsAwaiting { get; set; }

    /// <summary>Whether the pool waits for the backend to work again, for any pool.</summary>
    internal bool AwaitsBackend => _pause.AwaitsSuccess(_nowUs);

    /// <summary>Whether instances of this pool serve requests that come with these settings.</summary>
    internal bool Fits(int memoryMb, string runtime) => Function.MemoryMb == memoryMb && Function.Runtime == runtime;

    /// <summary>Whether a request waits here or holds an instance.</summary>
    internal bool Knows(RequestId request) => _line.Contains(request) || _inventory.HeldBy(request) is not null || MayHold(request);

    /// <summary>Says whether the function's last request came with other settings. Where it did, idle instances are kept for a while at most.</summary>
    internal void BecomeFormer(long nowUs, bool former)
    {
        Advance(nowUs);
        IsFormer = former;
        for (var i = 0; former && i < IdleCount; i++)
        {
            var slot = _inventory.IdleAt(i);
            slot.DueUs = Math.Min(slot.DueUs, _nowUs + _options.FormerKeepAlive.ToUs());
            WakeBy(slot.DueUs);
        }
    }

    /// <summary>A new pool takes what another of the function has learned, unless requests are active there; that one begins anew.</summary>
    internal void TakeLearned(SlotPool other)
    {
        if (other.Statistics.Active == 0)
        {
            (_policy, other._policy) = (other._policy, _policy);
            (Statistics, other.Statistics) = (other.Statistics, Statistics);
            (_shared, other._shared) = (other._shared, _shared);
            SetPlaces();
            other.SetPlaces();
        }
    }

    /// <summary>The core has let the pool go: the policy takes out what it shares with others, and nothing happens here any more.</summary>
    internal void Forgotten()
    {
        IsForgotten = true;
        _policy.Forgotten();
    }

    /// <summary>The backend works again: what the pool has put off is due.</summary>
    internal void WakeNow(long nowUs)
    {
        Advance(nowUs);
        WakeBy(_nowUs);
    }
}
