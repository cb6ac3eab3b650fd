using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.Runtime.Soaking;

/// <summary>Grants creations at a rate, and destructions freely, until it is stopped.</summary>
internal sealed class SimulatedBudget(TimeProvider time, params RateLimit[] limits) : ICallBudget
{
    private readonly TokenBuckets _creates = new(limits, time);

    /// <summary>The tickets of the creations that were granted, in their order.</summary>
    public List<long> Granted { get; } = [];

    /// <summary>Nothing is granted.</summary>
    public bool Stopped { get; set; }

    public CreateBudget Creates => new(_creates.Remaining, _creates.Capacity, _creates.PerSecond);

    public bool TryTakeCreate(SlotTicket ticket, FunctionMeta function, out TimeSpan wait)
    {
        wait = TimeSpan.FromSeconds(1);
        if (Stopped || !_creates.TryTake(out wait))
        {
            return false;
        }

        Granted.Add(ticket.Value);
        return true;
    }

    public bool TryTakeDestroy(SlotTicket ticket, BackendSlotId slot, out TimeSpan wait)
    {
        wait = TimeSpan.FromSeconds(1);
        return !Stopped;
    }
}
