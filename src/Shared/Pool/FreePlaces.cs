using System.Numerics;

namespace FuncScaler.Pool;

/// <summary>
/// The busy instances that may be given further requests, by how many they hold. The fullest one below a limit is found by looking at 16 words,
/// however many instances there are.
/// </summary>
internal sealed class FreePlaces
{
    private const int WordBits = 64;

    /// <summary>For each number of requests, the instances that hold as many.</summary>
    private readonly List<List<Slot>?> _holding = [];

    /// <summary>A bit for each number of requests that some instance holds.</summary>
    private readonly ulong[] _some = new ulong[(FunctionMeta.MostConcurrency / WordBits) + 1];

    /// <summary>The instance that holds the most requests below a limit; of several, the one that came to hold as many last; null for none.</summary>
    /// <param name="places">The requests that an instance may hold.</param>
    public Slot? Fullest(int places)
    {
        // Of the first word only the numbers below the limit.
        var word = places / WordBits;
        var bits = _some[word] & ((1UL << (places % WordBits)) - 1);
        while (bits == 0 && word > 0)
        {
            bits = _some[--word];
        }

        return bits == 0 ? null : _holding[(word * WordBits) + BitOperations.Log2(bits)]![^1];
    }

    public void Add(Slot slot)
    {
        var held = slot.Requests;
        while (_holding.Count <= held)
        {
            _holding.Add(null);
        }

        var same = _holding[held] ??= [];
        slot.FreePlace = same.Count;
        same.Add(slot);
        _some[held / WordBits] |= 1UL << (held % WordBits);
    }

    /// <summary>Takes an instance out; does nothing for one that is not here.</summary>
    public void Remove(Slot slot)
    {
        if (slot.FreePlace < 0)
        {
            return;
        }

        var held = slot.Requests;
        var same = _holding[held]!;
        same[slot.FreePlace] = same[^1];
        same[slot.FreePlace].FreePlace = slot.FreePlace;
        same.RemoveAt(same.Count - 1);
        slot.FreePlace = -1;
        if (same.Count == 0)
        {
            _some[held / WordBits] &= ~(1UL << (held % WordBits));
        }
    }

    /// <exception cref="InvalidOperationException">An instance is missing, or listed where it should not be; says how.</exception>
    public void CheckInvariants(IEnumerable<Slot> slots)
    {
        var listed = 0;
        foreach (var slot in slots)
        {
            var usable = slot is { State: SlotState.Busy, Doomed: false };
            Invariant.Holds(usable == slot.FreePlace >= 0, "an instance that may be given further requests is listed, and no other one");
            Invariant.Holds(!usable || _holding[slot.Requests]![slot.FreePlace] == slot, "an instance is listed by how many requests it holds");
            listed += usable ? 1 : 0;
        }

        Invariant.Holds(listed == _holding.Sum(same => same?.Count ?? 0), "only instances of the pool are listed");
        for (var held = 0; held < _holding.Count; held++)
        {
            var some = (_some[held / WordBits] >> (held % WordBits) & 1) != 0;
            Invariant.Holds(some == _holding[held] is { Count: > 0 }, "a bit says which numbers of requests some instance holds");
        }
    }
}
