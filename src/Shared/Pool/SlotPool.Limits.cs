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

    private double _floorMbUs;
    private long _ceilingWaitUs;

    /// <summary>What the limits have cost so far against what the policy would have done; null where there never were any.</summary>
    public LimitsCost? LimitsCost(long nowUs)
    {
        if (Limits == FunctionLimits.None && _floorMbUs == 0 && _ceilingWaitUs == 0)
        {
            return null;
        }

        var now = Math.Max(nowUs, _nowUs);
        var mbUs = _floorMbUs;
        for (var i = 0; i < IdleCount; i++)
        {
            var slot = _inventory.IdleAt(i);
            mbUs += Math.Max(0.0, now - slot.HeldByFloorUs) * slot.MemoryMb;
        }

        return new LimitsCost(mbUs / 1024 / 1e6, (_ceilingWaitUs + (WaitsForCeiling ? (now - _nowUs) * _line.Count : 0)) / 1e6);
    }

    private bool WaitsForCeiling => Limits.MaxInstances > 0 && _line.Count > 0 && IsFull;

    /// <summary>The floor holds an instance; from when on the policy would not.</summary>
    /// <returns>When the policy is asked again, µs.</returns>
    private long BeginFloor(Slot slot, long policyUntilUs)
    {
        if (policyUntilUs > _nowUs)
        {
            return policyUntilUs;
        }

        slot.HeldByFloorUs = _nowUs;
        return long.MaxValue;
    }

    private void EndFloor(Slot slot)
    {
        if (slot.HeldByFloorUs != long.MaxValue)
        {
            _floorMbUs += (double)(_nowUs - slot.HeldByFloorUs) * slot.MemoryMb;
            slot.HeldByFloorUs = long.MaxValue;
        }
    }

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
