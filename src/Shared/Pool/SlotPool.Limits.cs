namespace FuncScaler.Pool;

/// <summary>
/// An operator's limits: the one place where they meet what the policy wants. The floor is made up for after each event, and holds idle instances;
/// the ceiling is asked before each creation, and lets idle instances go.
/// </summary>
public sealed partial class SlotPool
{
    /// <summary>The most instances that are created at one time because of limits; the next events go on.</summary>
    private const int MostForLimits = 64;

    /// <summary>The limits in force.</summary>
    public FunctionLimits Limits { get; private set; } = FunctionLimits.None;

    /// <summary>The most requests that an instance may serve at a time, whatever executions do meanwhile.</summary>
    public int Concurrency => Limits.Concurrency ?? Function.MaxConcurrency;

    /// <summary>The most slots at a time; 0 for no limit.</summary>
    private int MostSlots => Limits.MaxInstances == 0 ? _options.MaxSlots
        : _options.MaxSlots == 0 ? Limits.MaxInstances
        : Math.Min(Limits.MaxInstances, _options.MaxSlots);

    private bool IsFull => MostSlots > 0 && _inventory.Count >= MostSlots;

    /// <summary>Instances that there are, or that are under way.</summary>
    private int Instances => BusyCount - _inventory.Doomed + IdleCount + InFlightCount;

    /// <summary>How many instances are missing to the floor. A pool of former settings only runs down.</summary>
    private int BelowFloor => IsFormer || _draining ? 0 : Math.Clamp(Limits.MinInstances - Instances, 0, MostForLimits);

    /// <summary>Whether an idle instance has to stay: without it there would be fewer than the floor.</summary>
    private bool FloorHolds => !IsFormer && !_draining && BusyCount - _inventory.Doomed + IdleCount <= Limits.MinInstances;

    /// <summary>Whether there are more instances than the ceiling lets be.</summary>
    private bool IsAboveCeiling => Limits.MaxInstances > 0 && Instances > Limits.MaxInstances;

    /// <summary>Limits from now on.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(long nowUs, FunctionLimits limits, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(limits);
        limits.Validate();
        Advance(nowUs);
        if (limits == Limits)
        {
            return;
        }

        var wasFull = IsFull;
        Limits = limits;
        _latencyPriceGbs = limits.LatencyPriceGbs ?? _options.PriceGbs(Function.Key);
        var places = Places;
        SetPlaces();
        ServeNewPlaces(places, effects);

        // Idle instances are held for as long as the former floor was there; those unused for the longest go first.
        for (var i = 0; i < IdleCount;)
        {
            var idle = IdleCount;
            DestroyUnlessKept(_inventory.IdleAt(i), depth: IdleCount - i, "its function's limits have changed", effects);
            i += idle == IdleCount ? 1 : 0;
        }

        // Those who wait for a place under the former ceiling get instances under the new one.
        if (wasFull && !IsFull && !FailsFast)
        {
            CreateOrOwe(Math.Clamp(Missing, 0, MostForLimits), effects);
        }

        Settle(effects);
    }
}
