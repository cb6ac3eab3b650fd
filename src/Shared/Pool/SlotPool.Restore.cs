using FuncScaler.Learned;
using FuncScaler.Policies;

namespace FuncScaler.Pool;

/// <summary>What a pool takes over from a former run of its scaler: what was learned, slots, and the requests that hold them.</summary>
public sealed partial class SlotPool
{
    private const string StatisticsPart = "statistics";
    private const string GapsPart = "gaps";

    private const string GroupsPart = "groups";
    private const string SloPart = "slo";

    private const int MostStatisticsBytes = 8000;
    private const int MostGapsBytes = 9000;
    private const int MostPolicyBytes = 14000;
    private const int MostGroupsBytes = 1000;
    private const int MostSloBytes = 256;

    /// <summary>Delays of groups that were read and are waiting for the groups, by parent.</summary>
    private Dictionary<string, IReadOnlyList<long>>? _delaysRead;

    /// <summary>Places of requests of a former run that are not known.</summary>
    private List<Place>? _inDoubt;

    /// <summary>What was learned of the function, as a <see cref="LearnedRecord"/>.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="mostBytes">The most bytes that it may take; with less than <see cref="LearnedRecord.MostFunctionBytes"/> less is told.</param>
    public byte[] WriteLearned(long nowUs, int mostBytes = LearnedRecord.MostFunctionBytes)
    {
        var writer = new LearnedWriter(Math.Max(nowUs, _nowUs));
        if (Limits.Slo is not null && _policy is ILearningPolicy { SloLearned: { } slo } aiming)
        {
            writer.Part($"{aiming.LearnedName} {SloPart}", MostSloBytes, slo.WriteLearned);
        }

        if (Expected is { HasLearned: true })
        {
            writer.Part(GroupsPart, Part(MostGroupsBytes), Expected.WriteLearned);
        }

        mostBytes -= writer.Length;
        writer.Part(StatisticsPart, Part(MostStatisticsBytes), Statistics.WriteLearned);
        writer.Part(GapsPart, Part(MostGapsBytes), to => Statistics.WriteGaps(to, Part(MostGapsBytes)));
        if (_policy is ILearningPolicy policy)
        {
            writer.Part(policy.LearnedName, Part(MostPolicyBytes), policy.WriteLearned);
        }

        return LearnedRecord.Seal(writer);

        int Part(int most) => (int)((long)most * mostBytes / LearnedRecord.MostFunctionBytes);
    }

    /// <summary>What all functions of the policy share, as a <see cref="LearnedRecord"/>; null for nothing.</summary>
    internal byte[]? WriteShared(long nowUs)
    {
        if (_policy is not ILearningPolicy { SharedLearned: { } shared } policy)
        {
            return null;
        }

        var writer = new LearnedWriter(Math.Max(nowUs, _nowUs));
        writer.Part(policy.LearnedName, LearnedRecord.MostSharedBytes, shared.WriteLearned);
        return LearnedRecord.Seal(writer);
    }

    /// <summary>Takes in what all functions of the policy share.</summary>
    /// <exception cref="LearnedFormatException">It is not what was written.</exception>
    internal void ReadShared(LearnedReader reader)
    {
        if (_policy is ILearningPolicy { SharedLearned: { } shared } policy)
        {
            while (reader.TryPart(out var tag, out var part))
            {
                if (tag == policy.LearnedName)
                {
                    shared.ReadLearned(part!);
                }
            }
        }
    }

    /// <summary>A new pool takes in what was learned before. Where that cannot be read, another new pool takes its place.</summary>
    /// <param name="pool">The new pool.</param>
    /// <param name="make">Makes another.</param>
    /// <param name="bytes">What was learned; null for nothing.</param>
    /// <param name="whose">The function; its key is empty for what all functions share.</param>
    /// <param name="memory">Told of what cannot be read.</param>
    /// <param name="read">Takes it in.</param>
    internal static SlotPool TakeIn(
        SlotPool pool, Func<SlotPool> make, LearnedBytes? bytes, MetaKey whose, ILearnedMemory memory, Action<SlotPool, LearnedReader> read)
    {
        if (bytes is not { } record)
        {
            return pool;
        }

        try
        {
            if (LearnedRecord.Open(record.Record, record.WrittenUs, out var whyNot) is { } reader)
            {
                read(pool, reader);
                return pool;
            }

            memory.Ignored(whose, whyNot!);
            return pool;
        }
        catch (LearnedFormatException e)
        {
            // What reads half of a record has half of another function's mind: it is made anew.
            memory.Ignored(whose, e.Message);
            pool.Forgotten();
            return make();
        }
    }

    /// <summary>Takes in what was learned of the function; to be called before its first event.</summary>
    /// <exception cref="LearnedFormatException">It is not what was written. The pool is then not to be used.</exception>
    internal void ReadLearned(LearnedReader reader)
    {
        while (reader.TryPart(out var tag, out var part))
        {
            if (tag == StatisticsPart)
            {
                Statistics.ReadLearned(part!);
            }
            else if (tag == GapsPart)
            {
                Statistics.ReadGaps(part!);
            }
            else if (_policy is ILearningPolicy policy && tag == policy.LearnedName)
            {
                policy.ReadLearned(part!);
            }
            else if (_policy is ILearningPolicy { SloLearned: { } slo } aiming && tag == $"{aiming.LearnedName} {SloPart}")
            {
                slo.ReadLearned(part!);
            }
            else if (tag == GroupsPart)
            {
                _delaysRead = ExpectedRequests.ReadLearned(part!);
            }
        }
    }

    /// <summary>
    /// Takes over a slot of a former run. An idle instance is idle, a busy one is held by the request that held it or by one that is not known.
    /// A creation whose answer is not known is asked for again under its ticket, which leads to the same slot where the backend names slots
    /// after tickets. Anything else is destroyed.
    /// </summary>
    public void Restore(long nowUs, in RestoredSlot former, List<Effect> effects)
    {
        Advance(nowUs);
        var slot = new Slot(former.Ticket, Function.MemoryMb, _nowUs) { Instance = former.Instance, Address = former.Address, MayExist = true };
        if (_inventory.Find(former.Ticket) is not null || (former.BackendId != default && !_inventory.TryClaim(slot, former.BackendId)))
        {
            return;
        }

        switch (former.State)
        {
            case SlotState.Held:
                return;

            case SlotState.Creating when former.BackendId == default:
                _inventory.Add(slot, SlotState.Creating);
                WakeBy(DueOf(slot));
                effects.Add(Effect.CreateSlot(Function, slot.Ticket, slot.MemoryMb));
                break;

            case SlotState.Busy or SlotState.Idle when former.BackendId != default && former.Instance.Value is { Length: > 0 }:
                _inventory.Add(slot, SlotState.Adopted);
                if (former.State == SlotState.Idle)
                {
                    _inventory.Become(slot, SlotState.Idle, former.SinceUs);
                    slot.DueUs = _nowUs;
                    WakeBy(_nowUs);
                    break;
                }

                foreach (var request in former.Requests)
                {
                    TakeOver(slot, request, former.SinceUs);
                }

                if (former.UnknownMark != 0 || former.Requests.Count == 0)
                {
                    var mark = former.UnknownMark == RequestMarks.Unknown ? 0 : former.UnknownMark;
                    (_inDoubt ??= []).Add(TakeOver(slot, new RequestId($"{Place.UnknownBegins}unknown, holding {former.Ticket}"), former.SinceUs, mark));
                }

                if (!former.Serves)
                {
                    _inventory.Doom(slot);
                }

                break;

            default:
                slot.DestroyReason = "a former run of the scaler had not finished it";
                _inventory.Add(slot, SlotState.Destroying);
                AskDestroy(slot, effects);
                break;
        }
    }

    /// <summary>A request of a former run holds an instance.</summary>
    private Place TakeOver(Slot slot, RequestId request, long sinceUs, long mark = 0)
    {
        Statistics.Resume(1);
        var place = _inventory.Give(slot, request, waitedUs: 0, sinceUs, mark);
        place.Callers = 1;
        place.DueUs = Math.Max(_nowUs, sinceUs) + _assignmentLimitUs ?? long.MaxValue;

        // One that is not known may have come after one that is known and has left; and limits may have been lowered since.
        slot.MostRequests = Math.Max(Concurrency, slot.Requests);
        slot.DueUs = slot.Requests == 1 ? place.DueUs : Math.Min(slot.DueUs, place.DueUs);
        WakeBy(slot.DueUs);
        return place;
    }

    /// <summary>
    /// Of the places that an unknown request may have, the one that a request has: that with its mark, or, where no mark is known, that of the
    /// instance which it names. From then on it is known who has it.
    /// </summary>
    private Place? Recognise(RequestId request, InstanceId? instance)
    {
        if (_inDoubt is null)
        {
            return null;
        }

        ForgetDoubts();
        var mark = RequestMarks.Of(request);
        var place = _inDoubt.Find(p => p.Mark == mark && (instance is null || p.Slot.Instance == instance))
            ?? _inDoubt.Find(p => p.Mark == 0 && p.Slot.Instance == instance);
        if (place is not null)
        {
            _inDoubt.Remove(place);
            _inventory.Rename(place, request);
        }

        _inDoubt = _inDoubt.Count == 0 ? null : _inDoubt;
        return place;
    }

    /// <summary>Whether a request may be the unknown one that holds an instance here.</summary>
    private bool MayHold(RequestId request)
    {
        if (_inDoubt is null)
        {
            return false;
        }

        ForgetDoubts();
        var mark = RequestMarks.Of(request);
        return _inDoubt.Exists(p => p.Mark == mark);
    }

    /// <summary>Whether a request that holds the instance is not known, not even by its mark.</summary>
    internal bool MayHoldUnknown(InstanceId instance)
    {
        if (_inDoubt is null)
        {
            return false;
        }

        ForgetDoubts();
        return _inDoubt.Exists(p => p.Mark == 0 && p.Slot.Instance == instance);
    }

    /// <summary>A place that was left is another request's, or nobody's.</summary>
    private void ForgetDoubts() => _inDoubt!.RemoveAll(p => p.Slot is null || !p.IsUnknown);
}
