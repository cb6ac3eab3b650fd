using System.Diagnostics.CodeAnalysis;
using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Choosing;

/// <summary>
/// The places of one candidate's pretended instances. For each place the pool keeps the time at which it becomes or became free, in
/// ascending order. Most pools have at most one place, which takes no array. The places that became free last belong to the lowest ranks;
/// which instance has which rank does not matter.
/// </summary>
internal struct PretendedPool
{
    /// <summary>The times, µs, multiplied by two. The lowest bit is set if the instance has been given back since.</summary>
    private long[]? _many;
    private long _only;
    private uint _paidUntilSeconds;

    /// <summary>The number of places. It is the number of instances if each serves one request at a time.</summary>
    public int Count { get; private set; }

    /// <summary>Until when idle instances have been paid for, µs, in whole seconds.</summary>
    public long PaidUntilUs
    {
        readonly get => _paidUntilSeconds * 1_000_000L;
        set => _paidUntilSeconds = (uint)(value / 1_000_000);
    }

    [UnscopedRef]
    private Span<long> Slots => _many is null ? new Span<long>(ref _only) : _many;

    /// <summary>When a place becomes or became free, µs.</summary>
    public readonly long FreeAtUs(int index) => Slot(index) >> 1;

    /// <summary>Whether a free place had an instance, ready or under way, when the pool was last paid for.</summary>
    public readonly bool IsLive(int index) => (Slot(index) & 1) == 0;

    public void SetLive(int index, bool live)
    {
        ref var slot = ref Slots[index];
        slot = live ? slot & ~1 : slot | 1;
    }

    /// <summary>The index of the first place that becomes free only after a time. All places before it are free at that time.</summary>
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

    /// <summary>Shrinks the array if a burst has left it much too long.</summary>
    public void Trim()
    {
        if (Slots.Length > Math.Max(1, Count + (Count / 2)))
        {
            Resize(Count);
        }
    }

    /// <summary>Removes every second place.</summary>
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

    /// <summary>Adds a copy of each place.</summary>
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

    /// <summary>Writes the instances of the first ranks: those that were or will be free last.</summary>
    public readonly void Write(LearnedWriter writer, int most)
    {
        writer.Time(PaidUntilUs);
        var count = Math.Min(most, Count);
        writer.Whole(count);
        var beforeUs = writer.NowUs;
        for (var i = Count - count; i < Count; i++)
        {
            writer.NearTime(FreeAtUs(i), ref beforeUs);
        }

        for (var i = Count - count; i < Count; i += 8)
        {
            byte live = 0;
            for (var bit = 0; bit < 8 && i + bit < Count; bit++)
            {
                live |= (byte)((IsLive(i + bit) ? 1 : 0) << bit);
            }

            writer.Byte(live);
        }
    }

    public void Read(LearnedReader reader, int most)
    {
        var paidUntilUs = Math.Max(0, reader.Time());
        var count = reader.Count(most);
        var beforeUs = reader.WrittenUs;
        while (Count < count)
        {
            Insert(reader.NearTime(ref beforeUs));
        }

        for (var i = 0; i < count; i += 8)
        {
            var live = reader.Byte();
            for (var bit = 0; bit < 8 && i + bit < count; bit++)
            {
                SetLive(i + bit, (live & (1 << bit)) != 0);
            }
        }

        PaidUntilUs = paidUntilUs;
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
