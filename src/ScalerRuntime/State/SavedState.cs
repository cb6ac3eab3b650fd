using FuncScaler.Learned;

namespace FuncScaler.Runtime.State;

/// <summary>What a store has.</summary>
/// <param name="Run">The name under which slots are created; the same for as long as the store lives.</param>
/// <param name="Clock">The time of the last batch.</param>
/// <param name="LastTicket">The last ticket that may have reached the backend.</param>
/// <param name="Slots">The slots.</param>
/// <param name="Learned">For each function what was learned; the empty key has what all share.</param>
public sealed record SavedState(
    string Run, StateClock Clock, long LastTicket, IReadOnlyList<SavedSlot> Slots, Dictionary<MetaKey, LearnedBytes> Learned);

/// <summary>One moment on both clocks.</summary>
/// <param name="CoreUs">On the core's clock, µs; it goes on over restarts.</param>
/// <param name="UnixUs">On the wall, µs since 1970.</param>
public readonly record struct StateClock(long CoreUs, long UnixUs);

/// <summary>A slot as it is saved.</summary>
/// <param name="Ticket">Its ticket.</param>
/// <param name="Function">Its function with the settings it was made for; the key is empty for a slot that nobody owns.</param>
/// <param name="State">Its state.</param>
/// <param name="BackendId">The backend's id; empty until known.</param>
/// <param name="Instance">The instance's id; empty before init.</param>
/// <param name="Address">Where the instance is reached; null where the platform has no addresses.</param>
/// <param name="Requests">Of a busy instance the requests that hold it, one a line, the last to come at the end; else null.</param>
/// <param name="SinceUs">Since when it is idle or busy, µs on the core's clock.</param>
public sealed record SavedSlot(
    SlotTicket Ticket, FunctionMeta Function, SlotState State, string BackendId, string Instance, string? Address, string? Requests, long SinceUs);

/// <summary>Changes that are saved together.</summary>
public sealed class StateBatch
{
    public StateClock Clock { get; set; }

    public long LastTicket { get; set; }

    /// <summary>Slots that are new or have changed.</summary>
    public List<SavedSlot> Slots { get; } = [];

    /// <summary>Slots that are gone.</summary>
    public List<SlotTicket> Gone { get; } = [];

    /// <summary>What was learned, by function.</summary>
    public Dictionary<MetaKey, LearnedBytes> Learned { get; } = [];

    /// <summary>Functions whose record is deleted.</summary>
    public List<MetaKey> Forgotten { get; } = [];

    public bool IsEmpty => Slots.Count == 0 && Gone.Count == 0 && Learned.Count == 0 && Forgotten.Count == 0;
}
