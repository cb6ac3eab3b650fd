namespace FuncScaler.Leasing.Ledger;

/// <summary>What a ledger asks of its host.</summary>
public enum LedgerEffectKind
{
    /// <summary>Create and initialise a slot, not before <see cref="LedgerEffect.AtUs"/>; answer with Provisioned or ProvisionFailed.</summary>
    Provision,

    /// <summary>Destroy a slot; answer with Destroyed or DestroyFailed.</summary>
    Destroy,

    /// <summary>Call Wake at <see cref="LedgerEffect.AtUs"/> or as soon after as can be. Calls that come early or often do no harm.</summary>
    WakeAt,

    /// <summary>A worker's life is over: look at all ledgers, as the sweep does, and tell those that have slots of it.</summary>
    Look,

    /// <summary>Forget this ledger: nothing refers to it any more.</summary>
    Forget,
}

/// <summary>One thing a ledger asks of its host. Which members are set depends on <see cref="Kind"/>.</summary>
public sealed record LedgerEffect(LedgerEffectKind Kind)
{
    public FunctionMeta? Function { get; init; }

    public SlotTicket Ticket { get; init; }

    /// <summary>The backend's id; empty when it never became known: the backend may find the slot by its ticket.</summary>
    public BackendSlotId BackendSlot { get; init; }

    /// <summary>What to initialise the slot as.</summary>
    public InstanceId Instance { get; init; }

    /// <summary>From 1; part of a name that makes a repeated effect the same work.</summary>
    public int Attempt { get; init; }

    public string? Reason { get; init; }

    /// <summary>µs since 1970.</summary>
    public long AtUs { get; init; }
}
