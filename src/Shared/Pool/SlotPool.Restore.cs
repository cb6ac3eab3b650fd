using FuncScaler.Learned;
using FuncScaler.Policies;

namespace FuncScaler.Pool;

/// <summary>What a pool takes over from a former run of its scaler: what was learned, slots, and the requests that hold them.</summary>
public sealed partial class SlotPool
{
    private const string StatisticsPart = "statistics";
    private const string GapsPart = "gaps";
    private const int MostStatisticsBytes = 8000;
    private const int MostGapsBytes = 9000;
    private const int MostPolicyBytes = 14000;

    /// <summary>Instances that a request of a former run may hold which is not known.</summary>
    private List<Slot>? _inDoubt;

    /// <summary>What was learned of the function, as a <see cref="LearnedRecord"/> of at most <see cref="LearnedRecord.MostFunctionBytes"/>.</summary>
    public byte[] WriteLearned(long nowUs)
    {
        var writer = new LearnedWriter(Math.Max(nowUs, _nowUs));
        writer.Part(StatisticsPart, MostStatisticsBytes, Statistics.WriteLearned);
        writer.Part(GapsPart, MostGapsBytes, to => Statistics.WriteGaps(to, MostGapsBytes));
        if (_policy is ILearningPolicy policy)
        {
            writer.Part(policy.LearnedName, MostPolicyBytes, policy.WriteLearned);
        }

        return LearnedRecord.Seal(writer);
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
        var slot = new Slot(former.Ticket, Function.MemoryMb, _nowUs) { Instance = former.Instance, Address = former.Address };
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

                Statistics.Resume(1);
                _inventory.Give(slot, former.Request ?? new RequestId($"unknown, holding {former.Ticket}"), waitedUs: 0, former.SinceUs);
                slot.Callers = 1;
                slot.Doomed = !former.Serves;
                slot.DueUs = Math.Max(_nowUs, former.SinceUs) + _assignmentLimitUs ?? long.MaxValue;
                WakeBy(slot.DueUs);
                if (former.Request is null)
                {
                    slot.RequestMark = former.RequestMark;
                    (_inDoubt ??= []).Add(slot);
                }

                break;

            default:
                slot.DestroyReason = "a former run of the scaler had not finished it";
                _inventory.Add(slot, SlotState.Destroying);
                AskDestroy(slot, effects);
                break;
        }
    }

    /// <summary>
    /// Of the instances that an unknown request may hold, the one that a request holds: that which has its mark, or, where no mark is known, which
    /// it names. From then on it is known who holds it.
    /// </summary>
    private Slot? Recognise(RequestId request, InstanceId? instance)
    {
        if (_inDoubt is null)
        {
            return null;
        }

        _inDoubt.RemoveAll(s => s.State != SlotState.Busy);
        var mark = RequestMarks.Of(request);
        var slot = _inDoubt.Find(s => s.RequestMark == mark && (instance is null || s.Instance == instance))
            ?? _inDoubt.Find(s => s.RequestMark == 0 && s.Instance == instance);
        if (slot is null)
        {
            return null;
        }

        _inDoubt.Remove(slot);
        _inventory.Rename(slot, request);
        if (_inDoubt.Count == 0)
        {
            _inDoubt = null;
        }

        return slot;
    }

    /// <summary>Whether a request may be the unknown one that holds an instance here.</summary>
    private bool MayHold(RequestId request) => _inDoubt is { } doubted && RequestMarks.Of(request) is var mark && doubted.Exists(s => s.RequestMark == mark);
}
