namespace FuncScaler.Pool;

/// <summary>A place in an instance, taken by a request: the assignment. <see cref="SlotInventory"/> alone gives and takes places.</summary>
internal sealed class Place
{
    /// <summary>What the name begins with that stands for a request that is not known; no caller's has a control character.</summary>
    public const char UnknownBegins = '\u0001';

    /// <summary>The instance; null while nobody has the place.</summary>
    public Slot Slot { get; set; } = null!;

    public SlotTicket Ticket => Slot.Ticket;

    /// <summary>The request that has it.</summary>
    public RequestId Request { get; set; }

    /// <summary>Whether the request is one of a former run that is not known.</summary>
    public bool IsUnknown => Request.Value is [UnknownBegins, ..];

    /// <summary>Of a request that is not known its mark, or 0 for none; see <see cref="RequestMarks"/>.</summary>
    public long Mark { get; set; }

    /// <summary>The callers of the request that were given the instance.</summary>
    public int Callers { get; set; }

    /// <summary>Since when the request has it, µs.</summary>
    public long SinceUs { get; set; }

    /// <summary>For how long the request had waited, µs.</summary>
    public long WaitedUs { get; set; }

    /// <summary>When the request is taken to be lost, µs.</summary>
    public long DueUs { get; set; }

    /// <summary>The instance's <see cref="Slot.RequestUs"/> when the request came.</summary>
    public long RequestUsBefore { get; set; }

    /// <summary>The places of the same instance that were taken next and before.</summary>
    public Place? Newer { get; set; }

    public Place? Older { get; set; }
}
