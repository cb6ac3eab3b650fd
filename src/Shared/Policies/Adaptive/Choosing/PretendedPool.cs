using System.Diagnostics.CodeAnalysis;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// The places of one candidate's pretended instances: for each the time at which it is or was last free, ascending. Most pools have one at
/// most, which takes no array. The places that were free last belong to the lowest ranks; it does not matter which instance has which.
/// </summary>
internal struct PretendedPool
{
    /// <summary>Times, µs, doubled; the lowest bit is set for an instance that has been given back since.</summary>
    private long[]? _many;
    private long _only;
    private uint _paidUntilSeconds;

    /// <summary>The number of places: of instances, where each serves one request at a time.</summary>
    public int Count { get; private set; }

    /// <summary>Until when idle instances have been paid for, µs; whole seconds.</summary>
    public long PaidUntilUs
    {
        readonly get => _paidUntilSeconds * 1_000_000L;
        set => _paidUntilSeconds = (uint)(value / 1_000_000);
    }

    [UnscopedRef]
    private Span<long> Slots => _many is null ? new Span<long>(ref _only) : _many;

    /// <summary>When a place is or was last free, µs.</summary>
    public readonly long FreeAtUs(int index) => Slot(index) >> 1;

    /// <summary>Whether an idle slot has an instance, or one under way, as of when the pool was last paid for.</summary>
    public readonly bool IsLive(int index) => (Slot(index) & 1) == 0;

    public void SetLive(int index, bool live)
    {
        ref var slot = ref Slots[index];
        slot = live ? slot & ~1 : slot | 1;
    }

    /// <summary>The first place that is free only after a time; all before it are free then.</summary>
    public readonly int FirstAfter(long atUs)
    {
        int low = 0, high = Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = FreeAtUs(middle) > atUs ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    public void Remove(int index, int count = 1)
    {
        Slots[(index + count)..Count].CopyTo(Slots[index..]);
        Count -= count;
    }

    public void Insert(long atUs, int count = 1)
    {
        if (Slots.Length < Count + count)
        {
            Resize(Math.Max(2 * Count, Count + count));
        }

        var slots = Slots;
        var slot = atUs << 1;
        var index = Count;
        Count += count;
        while (index > 0 && slots[index - 1] > slot)
        {
            slots[index + count - 1] = slots[index - 1];
            index--;
        }

        slots.Slice(index, count).Fill(slot);
    }

    /// <summary>Gives back the room that a burst took.</summary>
    public void Trim()
    {
        if (Slots.Length > Math.Max(1, Count + (Count / 2)))
        {
            Resize(Count);
        }
    }

    /// <summary>Lets every second place go.</summary>
    public void Halve()
    {
        var slots = Slots;
        for (var i = 1; i < Count; i += 2)
        {
            slots[i / 2] = slots[i];
        }

        Count /= 2;
        Trim();
    }

    /// <summary>Puts a second place beside each.</summary>
    public void Double()
    {
        if (Slots.Length < 2 * Count)
        {
            Resize(2 * Count);
        }

        var slots = Slots;
        for (var i = Count - 1; i >= 0; i--)
        {
            slots[2 * i] = slots[(2 * i) + 1] = slots[i];
        }

        Count *= 2;
    }

    private readonly long Slot(int index) => _many is null ? _only : _many[index];

    private void Resize(int length)
    {
        var many = length > 1 ? new long[length] : null;
        if (many is null)
        {
            _only = Slots[0];
        }
        else
        {
            Slots[..Count].CopyTo(many);
        }

        _many = many;
    }
}
