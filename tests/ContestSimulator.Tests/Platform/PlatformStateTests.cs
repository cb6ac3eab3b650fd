using FuncScaler.ContestSimulator.Platform;
using FuncScaler.Contract;

namespace FuncScaler.Tests.Platform;

public sealed class PlatformStateTests
{
    private const long Ms = 1000;
    private readonly PlatformState _state = new("slot-");
    private long _nowUs;

    public PlatformStateTests() =>
        _state.StartRun(0, [ListTrace.Function("f", 512, 40), ListTrace.Function("g", 512, 50), ListTrace.Function("big", 2048, 60)]);

    [Fact]
    public void What_a_scaler_says_is_kept_as_one_short_line()
    {
        _state.Count(Misuse.AssignRefused, "request \"r\": \u001b[2Jno\r\n" + new string('x', 100_000));

        var example = Assert.Single(_state.Misuses).FirstExample;
        Assert.StartsWith("request \"r\": no xxx", example, StringComparison.Ordinal);
        Assert.InRange(example.Length, 400, RemoteWords.Longest + 1);
    }

    [Fact]
    public void A_slot_costs_from_the_arrival_of_CreateSlot_to_the_arrival_of_DestroySlot()
    {
        _nowUs = 10 * Ms;
        var slot = CreateSlot(1024);
        _nowUs = 110 * Ms;
        _state.CompleteCreateSlot(slot);
        _nowUs = 2010 * Ms;
        Assert.Equal(2.0, _state.ScoreAt(_nowUs).SlotGbSeconds, 9);

        Assert.Equal(Status.Ok, _state.DestroySlot(_nowUs, slot).Status);

        _nowUs = 99_999 * Ms;
        Assert.Equal(2.0, _state.ScoreAt(_nowUs).SlotGbSeconds, 9);
        Assert.Equal(0, _state.LiveSlots);
        Assert.Empty(_state.Misuses);
    }

    [Fact]
    public void A_request_waits_from_its_Assign_to_the_answer_and_executions_and_cold_starts_are_averaged()
    {
        var function = ListTrace.Function("f", 512, 40).Meta;
        _state.AssignSent(function);
        _state.AssignSent(function);
        var slot = CreateSlot(512);
        _nowUs = 100 * Ms;
        _state.CompleteCreateSlot(slot);
        _state.BeginInit(slot, "i", "f");
        _nowUs = 140 * Ms;
        _state.CompleteInit(_nowUs, slot);
        _state.AssignEnded(function);
        var request = new RequestId("r");
        _state.Grant(_nowUs, request, function.Key, new Assignment { RequestId = "r", MetaKey = "f", InstanceId = "i" });

        Assert.Equal(new PlatformFunction("f", 512, 2, 1, 0, 0, 1, 0, 140), _state.FunctionCounts.Single(f => f.Key == "f"));

        _nowUs = 170 * Ms;
        _state.Release(_nowUs, request);

        Assert.Equal(new PlatformFunction("f", 512, 2, 0, 1, 0, 1, 30, 140), _state.FunctionCounts.Single(f => f.Key == "f"));
    }

    [Fact]
    public void Before_the_first_run_any_function_may_be_tried()
    {
        var state = new PlatformState("slot-");
        var slot = state.BeginCreateSlot(0, 128).SlotId!;
        state.CompleteCreateSlot(slot);

        Assert.Equal(Status.Ok, state.BeginInit(slot, "i", "anything").Status);

        state.StartRun(1, [ListTrace.Function("f", 512, 40)]);
        var another = state.BeginCreateSlot(1, 128).SlotId!;
        state.CompleteCreateSlot(another);
        Assert.Equal(Status.InvalidArgument, state.BeginInit(another, "j", "anything").Status);
    }

    [Fact]
    public void An_initialised_instance_is_granted_released_and_granted_again()
    {
        var (slot, instance) = Instance("f");

        Assert.Null(Grant("r1", "f", instance).Failure);
        Assert.True(_state.Release(_nowUs, new RequestId("r1")));
        Assert.Null(Grant("r2", "f", instance).Failure);
        Assert.True(_state.Release(_nowUs, new RequestId("r2")));
        Assert.Equal(Status.Ok, _state.DestroySlot(_nowUs, slot).Status);

        Assert.Empty(_state.Misuses);
    }

    [Fact]
    public void A_grant_tells_when_its_instance_was_created_initialised_and_freed()
    {
        _nowUs = 5 * Ms;
        var (_, instance) = Instance("f");
        var initialisedUs = _nowUs;
        _nowUs += 7 * Ms;
        var first = Grant("r1", "f", instance);
        _nowUs += 30 * Ms;
        _state.Release(_nowUs, new RequestId("r1"));
        var freedUs = _nowUs;
        _nowUs += 3 * Ms;
        var second = Grant("r2", "f", instance);

        Assert.Equal(new GrantCheck(null, 5 * Ms, initialisedUs, initialisedUs), first);
        Assert.Equal(new GrantCheck(null, 5 * Ms, initialisedUs, freedUs), second);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(1ul << 31)]
    public void CreateSlot_refuses_a_memory_that_is_none(ulong memoryMb)
    {
        var reply = _state.BeginCreateSlot(0, memoryMb);

        Assert.Equal(Status.InvalidArgument, reply.Status);
        Assert.Null(reply.SlotId);
        Assert.Equal(0, _state.LiveSlots);
        AssertMisused(Misuse.CreateSlotWithoutMemory);
    }

    [Fact]
    public void A_second_Init_of_a_slot_is_already_allocated()
    {
        var (slot, _) = Instance("f");

        var reply = _state.BeginInit(slot, "another", "f");

        Assert.Equal(Status.InvalidArgument, reply.Status);
        Assert.Contains("already allocated", reply.Error, StringComparison.Ordinal);
        AssertMisused(Misuse.InitTwice);
    }

    [Fact]
    public void A_second_Init_during_the_first_is_already_allocated()
    {
        var slot = CreatedSlot(512);
        Assert.Equal(40 * Ms, _state.BeginInit(slot, "i", "f").InitDurationUs);

        Assert.Equal(Status.InvalidArgument, _state.BeginInit(slot, "j", "f").Status);
        AssertMisused(Misuse.InitTwice);
    }

    [Theory]
    [InlineData("nowhere", "i", "f", Status.NotFound, Misuse.InitOfUnknownSlot)]
    [InlineData("creating", "i", "f", Status.NotFound, Misuse.InitOfUnknownSlot)]
    [InlineData("destroyed", "i", "f", Status.NotFound, Misuse.InitOfUnknownSlot)]
    [InlineData("fresh", "", "f", Status.InvalidArgument, Misuse.InitWithoutInstanceId)]
    [InlineData("fresh", "taken", "f", Status.InvalidArgument, Misuse.InstanceIdInUse)]
    [InlineData("fresh", "i", "h", Status.InvalidArgument, Misuse.InitForUnknownFunction)]
    [InlineData("fresh", "i", "", Status.InvalidArgument, Misuse.InitForUnknownFunction)]
    [InlineData("fresh", "i", "big", Status.InvalidArgument, Misuse.MemoryMismatch)]
    public void A_wrong_Init_is_refused(string slot, string instance, string function, Status status, Misuse misuse)
    {
        Instance("f", "taken");
        var slots = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["nowhere"] = "nowhere",
            ["creating"] = CreateSlot(512),
            ["destroyed"] = CreatedSlot(512),
            ["fresh"] = CreatedSlot(512),
        };
        _state.DestroySlot(_nowUs, slots["destroyed"]);

        var reply = _state.BeginInit(slots[slot], instance, function);

        Assert.Equal(status, reply.Status);
        Assert.NotNull(reply.Error);
        AssertMisused(misuse);
        Assert.Equal(Status.Ok, _state.BeginInit(slots["fresh"], "later", "g").Status);
    }

    [Fact]
    public void Destroying_a_slot_that_is_not_there_is_not_found_and_changes_nothing()
    {
        var (slot, _) = Instance("f");
        Assert.Equal(Status.NotFound, _state.DestroySlot(_nowUs, "nowhere").Status);
        Assert.Equal(1, _state.LiveSlots);
        _state.DestroySlot(_nowUs, slot);
        Assert.Equal(Status.NotFound, _state.DestroySlot(_nowUs, slot).Status);
        Assert.Equal(0, _state.LiveSlots);
        AssertMisused(Misuse.DestroyOfUnknownSlot, count: 2);
    }

    [Fact]
    public void A_slot_destroyed_during_its_Init_never_becomes_an_instance()
    {
        var slot = CreatedSlot(512);
        _state.BeginInit(slot, "i", "f");
        _state.DestroySlot(_nowUs, slot);

        Assert.Equal(Status.NotFound, _state.CompleteInit(_nowUs, slot).Status);
        Assert.Equal(Misuse.InstanceDestroyed, Grant("r", "f", "i").Failure);
    }

    [Fact]
    public void An_answer_without_an_assignment_fails_its_request()
    {
        var check = _state.Grant(_nowUs, new RequestId("r"), new MetaKey("f"), null);
        Assert.Equal(Misuse.AssignmentMismatch, check.Failure);
        AssertMisused(Misuse.AssignmentMismatch);
    }

    [Theory]
    [InlineData("r2", "f", "free", Misuse.AssignmentMismatch)]
    [InlineData("r", "g", "free", Misuse.AssignmentMismatch)]
    [InlineData("r", "f", "ghost", Misuse.UnknownInstance)]
    [InlineData("r", "f", "", Misuse.UnknownInstance)]
    [InlineData("r", "f", "initialising", Misuse.InstanceNotInitialised)]
    [InlineData("r", "f", "destroyed", Misuse.InstanceDestroyed)]
    [InlineData("r", "f", "of-g", Misuse.InstanceOfOtherFunction)]
    [InlineData("r", "f", "busy", Misuse.InstanceAlreadyAssigned)]
    public void A_wrong_grant_fails_its_request_and_no_other(string request, string function, string instance, Misuse misuse)
    {
        Instance("f", "free");
        Instance("g", "of-g");
        Instance("f", "busy");
        Assert.Null(Grant("holder", "f", "busy").Failure);
        var (destroyed, _) = Instance("f", "destroyed");
        _state.DestroySlot(_nowUs, destroyed);
        _state.BeginInit(CreatedSlot(512), "initialising", "f");

        var answer = new Assignment { RequestId = request, MetaKey = function, InstanceId = instance };
        var check = _state.Grant(_nowUs, new RequestId("r"), new MetaKey("f"), answer);

        Assert.Equal(misuse, check.Failure);
        AssertMisused(misuse);
        Assert.True(_state.Release(_nowUs, new RequestId("holder")));
        Assert.Null(Grant("r3", "f", "free").Failure);
    }

    [Fact]
    public void A_slot_destroyed_while_it_executes_fails_its_request()
    {
        var (slot, instance) = Instance("f");
        Grant("r", "f", instance);

        Assert.Equal(Status.Ok, _state.DestroySlot(_nowUs, slot).Status);

        AssertMisused(Misuse.DestroyedWhileExecuting);
        Assert.False(_state.Release(_nowUs, new RequestId("r")));
    }

    [Fact]
    public void Releasing_a_request_that_executes_nothing_is_a_defect_of_the_caller() =>
        Assert.Throws<KeyNotFoundException>(() => _state.Release(0, new RequestId("r")));

    [Fact]
    public void The_first_example_of_a_misuse_is_kept_and_names_what_was_wrong()
    {
        _state.DestroySlot(0, "first");
        _state.DestroySlot(0, "second");

        var misuse = Assert.Single(_state.Misuses);
        Assert.Equal(2, misuse.Count);
        Assert.Contains("\"first\"", misuse.FirstExample, StringComparison.Ordinal);
    }

    [Fact]
    public void A_new_run_keeps_live_slots_and_pays_for_them_from_its_start()
    {
        var (gone, _) = Instance("f", "gone");
        _state.DestroySlot(_nowUs, gone);
        var (slot, _) = Instance("f", "kept");
        Grant("r", "f", "kept");
        _state.RequestFailed();
        _state.DestroySlot(_nowUs, "nowhere");

        _nowUs = 1000 * Ms;
        _state.StartRun(_nowUs, [ListTrace.Function("f", 512, 40)]);

        Assert.Equal(1, _state.LiveSlots);
        Assert.Equal(1, _state.SlotsOfRun);
        Assert.Equal(1, _state.PeakLiveSlots);
        Assert.Empty(_state.Misuses);
        Assert.Equal(0, _state.ScoreAt(_nowUs).Requests);
        _nowUs = 3000 * Ms;
        Assert.Null(Grant("r", "f", "kept").Failure);
        Assert.True(_state.Release(_nowUs, new RequestId("r")));
        Assert.Equal(Status.Ok, _state.DestroySlot(_nowUs, slot).Status);
        Assert.Equal(1.0, _state.ScoreAt(9000 * Ms).SlotGbSeconds, 9);
        Assert.Equal(Misuse.UnknownInstance, Grant("r4", "f", "gone").Failure);
    }

    private string CreateSlot(int memoryMb) => _state.BeginCreateSlot(_nowUs, (ulong)memoryMb).SlotId!;

    private string CreatedSlot(int memoryMb)
    {
        var slot = CreateSlot(memoryMb);
        _state.CompleteCreateSlot(slot);
        return slot;
    }

    private (string Slot, string Instance) Instance(string function, string instance = "i")
    {
        var slot = CreatedSlot(512);
        Assert.Equal(Status.Ok, _state.BeginInit(slot, instance, function).Status);
        _nowUs += 40 * Ms;
        Assert.Equal(Status.Ok, _state.CompleteInit(_nowUs, slot).Status);
        return (slot, instance);
    }

    private GrantCheck Grant(string request, string function, string instance) => _state.Grant(
        _nowUs,
        new RequestId(request),
        new MetaKey(function),
        new Assignment { RequestId = request, MetaKey = function, InstanceId = instance });

    private void AssertMisused(Misuse kind, long count = 1)
    {
        var misuse = Assert.Single(_state.Misuses);
        Assert.Equal((kind, count), (misuse.Kind, misuse.Count));
    }
}
