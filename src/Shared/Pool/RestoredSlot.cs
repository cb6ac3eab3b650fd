namespace FuncScaler.Pool;

/// <summary>A slot of a former run of the scaler, as that run has written it down.</summary>
/// <param name="Ticket">Its ticket.</param>
/// <param name="State">Its state.</param>
/// <param name="BackendId">The backend's id; empty where it never became known.</param>
/// <param name="Instance">The instance's id; empty before its init.</param>
/// <param name="Address">Where the instance is reached; null where the platform has no addresses.</param>
/// <param name="Requests">Of a busy instance the requests that are known to hold it; none where it may be held by one that is not known.</param>
/// <param name="UnknownMark">Of a request that is not known and holds it too, the <see cref="RequestMarks"/>' mark, or <see cref="RequestMarks.Unknown"/>; 0 for none.</param>
/// <param name="SinceUs">Since when it is idle or busy, µs on the present run's clock.</param>
public readonly record struct RestoredSlot(
    SlotTicket Ticket,
    SlotState State,
    BackendSlotId BackendId,
    InstanceId Instance,
    Uri? Address,
    IReadOnlyList<RequestId> Requests,
    long UnknownMark,
    long SinceUs)
{
    /// <summary>Whether it serves others after its present use; false for one that is not wholly known. Default true.</summary>
    public bool Serves { get; init; } = true;
}
