using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.Contract;

namespace FuncScaler.Tests.Platform;

/// <summary>
/// Random operations, valid and invalid, against a plain list of what happened: every answer, every misuse and the bill must agree.
/// The bytes that FsCheck makes, and shrinks, are read four by four: what to do, to which slot, with what, and how much later.
/// </summary>
public sealed class PlatformStateProperties
{
    private static readonly Config Thorough = Config.QuickThrowOnFailure.WithMaxTest(Properties.Often(400)).WithEndSize(800);

    [Fact]
    public void Answers_misuses_and_the_bill_agree_with_a_plain_recount() =>
        Prop.ForAll<byte[]>(bytes => new Recount().Run(bytes)).Check(Thorough);

    private sealed class Recount
    {
        private static readonly string[] FunctionKeys = ["f", "g", "big"];
        private static readonly int[] FunctionMb = [512, 512, 2048];
        private static readonly ulong[] Sizes = [512, 2048, 512, 0];

        private readonly PlatformState _state = new("s");
        private readonly List<ModelSlot> _slots = [];
        private readonly List<(RequestId Request, ModelSlot Slot)> _executing = [];
        private readonly Dictionary<Misuse, long> _misuses = [];
        private readonly List<(long DurationUs, int Mb, long AssignUs, long IdleUs)> _served = [];
        private long _nowUs;
        private long _runStartUs;
        private long _requests;
        private long _failed;
        private long _peak;

        private IEnumerable<ModelSlot> Live => _slots.Where(slot => slot.DestroyedUs is null);

        public void Run(byte[] bytes)
        {
            _state.StartRun(0, [.. FunctionKeys.Select((key, i) => ListTrace.Function(key, FunctionMb[i], 10 * i))]);
            for (var i = 0; i + 3 < bytes.Length; i += 4)
            {
                _nowUs += bytes[i + 3] * 1000L;
                Step(bytes[i] % 9, bytes[i + 1], bytes[i + 2]);
                _peak = Math.Max(_peak, Live.Count());
                Compare();
            }
        }

        private void Step(int what, int which, int with)
        {
            switch (what)
            {
                case 0:
                    Create(Sizes[with % Sizes.Length]);
                    break;
                case 1:
                    if (Pick(which) is { IsCreated: false } creating)
                    {
                        _state.CompleteCreateSlot(creating.Id);
                        creating.IsCreated = true;
                    }

                    break;
                case 2:
                    BeginInit(Pick(which), with);
                    break;
                case 3:
                    CompleteInit(Pick(which));
                    break;
                case 4:
                    Destroy(Pick(which));
                    break;
                case 5 or 6:
                    Grant(Pick(which), with);
                    break;
                case 7:
                    Release(which, with);
                    break;
                case 8 when with % 16 == 0:
                    StartRun();
                    break;
            }
        }

        // One in eight picks a slot that is not there.
        private ModelSlot? Pick(int which) => which % 8 == 7 || _slots.Count == 0 ? null : _slots[which % _slots.Count];

        private void Create(ulong memoryMb)
        {
            var reply = _state.BeginCreateSlot(_nowUs, memoryMb);
            if (memoryMb == 0)
            {
                Expect(Status.InvalidArgument, reply.Status, Misuse.CreateSlotWithoutMemory);
                return;
            }

            Expect(Status.Ok, reply.Status, null);
            Assert.DoesNotContain(_slots, slot => slot.Id == reply.SlotId);
            _slots.Add(new ModelSlot(reply.SlotId!, (int)memoryMb, _nowUs));
        }

        private void BeginInit(ModelSlot? slot, int with)
        {
            var function = with % 4;
            var key = function == 3 ? "unknown" : FunctionKeys[function];
            var instance = (with / 4 % 8) switch
            {
                0 => string.Empty,
                1 => _slots.FirstOrDefault(other => other.Instance is not null)?.Instance ?? "fresh",
                _ => $"i{_slots.Count}-{_nowUs}-{with}",
            };
            var reply = _state.BeginInit(slot?.Id ?? "nowhere", instance, key);
            (Status Status, Misuse? Misuse) expected =
                slot is not { IsCreated: true, DestroyedUs: null } ? (Status.NotFound, Misuse.InitOfUnknownSlot)
                : slot.Instance is not null ? (Status.InvalidArgument, Misuse.InitTwice)
                : instance.Length == 0 ? (Status.InvalidArgument, Misuse.InitWithoutInstanceId)
                : _slots.Exists(other => other.Instance == instance) ? (Status.InvalidArgument, Misuse.InstanceIdInUse)
                : function == 3 ? (Status.InvalidArgument, Misuse.InitForUnknownFunction)
                : FunctionMb[function] != slot.Mb ? (Status.InvalidArgument, Misuse.MemoryMismatch)
                : (Status.Ok, null);
            Expect(expected.Status, reply.Status, expected.Misuse);
            if (expected.Status == Status.Ok)
            {
                Assert.Equal(10_000L * function, reply.InitDurationUs);
                slot!.Instance = instance;
                slot.Function = key;
            }
        }

        private void CompleteInit(ModelSlot? slot)
        {
            if (slot is not { Instance: not null, IsInitialised: false })
            {
                return;
            }

            var reply = _state.CompleteInit(_nowUs, slot.Id);
            Expect(slot.DestroyedUs is null ? Status.Ok : Status.NotFound, reply.Status, null);
            slot.IsInitialised = slot.DestroyedUs is null;
        }

        private void Destroy(ModelSlot? slot)
        {
            var reply = _state.DestroySlot(_nowUs, slot?.Id ?? "nowhere");
            if (slot is not { IsCreated: true, DestroyedUs: null })
            {
                Expect(Status.NotFound, reply.Status, Misuse.DestroyOfUnknownSlot);
                return;
            }

            Expect(Status.Ok, reply.Status, _executing.Exists(entry => entry.Slot == slot) ? Misuse.DestroyedWhileExecuting : null);
            slot.DestroyedUs = _nowUs;
        }

        private void Grant(ModelSlot? slot, int with)
        {
            var request = new RequestId($"r{_requests++}-{_nowUs}");
            // Mostly the instance's own function, else any; now and then an answer for somebody else.
            var function = with % 4 != 0 && slot?.Function is { } own ? own : FunctionKeys[with % 3];
            var isForAnother = with % 16 == 5;
            var answer = new Assignment
            {
                RequestId = isForAnother ? "another" : request.Value,
                MetaKey = function,
                InstanceId = slot?.Instance ?? "ghost",
            };
            var check = _state.Grant(_nowUs, request, new MetaKey(function), answer);
            Misuse? expected =
                isForAnother ? Misuse.AssignmentMismatch
                : slot?.Instance is null ? Misuse.UnknownInstance
                : slot.DestroyedUs is not null ? Misuse.InstanceDestroyed
                : slot.Function != function ? Misuse.InstanceOfOtherFunction
                : !slot.IsInitialised ? Misuse.InstanceNotInitialised
                : _executing.Exists(entry => entry.Slot == slot) ? Misuse.InstanceAlreadyAssigned
                : null;
            Assert.Equal(expected, check.Failure);
            if (expected is { } misuse)
            {
                Note(misuse);
                _state.RequestFailed();
                _failed++;
                return;
            }

            _executing.Add((request, slot!));
        }

        private void Release(int which, int with)
        {
            if (_executing.Count == 0)
            {
                return;
            }

            var (request, slot) = _executing[which % _executing.Count];
            _executing.RemoveAt(which % _executing.Count);
            var survived = _state.Release(_nowUs, request);
            Assert.Equal(slot.DestroyedUs is null, survived);
            if (survived)
            {
                _state.RequestServed(with * 1000L, slot.Mb, which, with);
                _served.Add((with * 1000L, slot.Mb, which, with));
            }
            else
            {
                _state.RequestFailed();
                _failed++;
            }
        }

        private void StartRun()
        {
            _state.StartRun(_nowUs, [.. FunctionKeys.Select((key, i) => ListTrace.Function(key, FunctionMb[i], 10 * i))]);
            _runStartUs = _nowUs;
            _slots.RemoveAll(slot => slot.DestroyedUs is not null);
            _executing.Clear();
            _misuses.Clear();
            _served.Clear();
            _failed = 0;
            _peak = _slots.Count;
        }

        private void Compare()
        {
            var score = _state.ScoreAt(_nowUs);
            var slotGbSeconds = _slots.Sum(slot =>
                ((slot.DestroyedUs ?? _nowUs) - Math.Max(_runStartUs, slot.CreatedUs)) / 1e6 * slot.Mb / 1024);
            Assert.Equal(slotGbSeconds, score.SlotGbSeconds, 6);
            Assert.Equal(_served.Sum(call => call.DurationUs / 1e6), score.ExecutionSeconds, 6);
            Assert.Equal(_served.Sum(call => call.DurationUs / 1e6 * call.Mb / 1024), score.ExecutionGbSeconds, 6);
            Assert.Equal(_served.Sum(call => call.AssignUs / 1e6), score.AssignSeconds, 6);
            Assert.Equal(_served.Sum(call => call.IdleUs / 1e6), score.IdleSeconds, 6);
            Assert.Equal(_served.Count + _failed, score.Requests);
            Assert.Equal(_failed, score.FailedRequests);
            Assert.Equal(Live.Count(), _state.LiveSlots);
            Assert.Equal(_peak, _state.PeakLiveSlots);
            Assert.Equal(_slots.Count - Live.Count(), _state.DestroyedSlots);
            Assert.Equal(
                Live.GroupBy(slot => (Function: slot.Function ?? "", slot.Mb)).Select(group => (
                    group.Key.Function,
                    group.Key.Mb,
                    Busy: group.Count(IsBusy),
                    Idle: group.Count(slot => slot.IsInitialised && !IsBusy(slot)),
                    InFlight: group.Count(slot => !slot.IsInitialised))).Order(),
                _state.FunctionCounts.Where(f => f.Busy + f.Idle + f.InFlight > 0).Select(f => (f.Key, f.MemoryMb, f.Busy, f.Idle, f.InFlight)).Order());
            Assert.Equal(_slots.Count, _state.SlotsOfRun);
            Assert.Equal(
                _misuses.OrderBy(entry => entry.Key).Select(entry => (entry.Key, entry.Value)),
                _state.Misuses.Select(misuse => (misuse.Kind, misuse.Count)));
        }

        private bool IsBusy(ModelSlot slot) => _executing.Exists(entry => entry.Slot == slot);

        private void Expect(Status expected, Status actual, Misuse? misuse)
        {
            Assert.Equal(expected, actual);
            if (misuse is { } kind)
            {
                Note(kind);
            }
        }

        private void Note(Misuse kind) => _misuses[kind] = _misuses.GetValueOrDefault(kind) + 1;
    }

    private sealed class ModelSlot(string id, int mb, long createdUs)
    {
        public string Id { get; } = id;

        public int Mb { get; } = mb;

        public long CreatedUs { get; } = createdUs;

        public long? DestroyedUs { get; set; }

        public bool IsCreated { get; set; }

        public bool IsInitialised { get; set; }

        public string? Instance { get; set; }

        public string? Function { get; set; }
    }
}
