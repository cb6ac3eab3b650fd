using FuncScaler.Learned;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Soaking;
using FuncScaler.Runtime.State;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.State;

/// <summary>A runtime with a state: what is saved before what, and how the next one goes on.</summary>
public sealed class DurableStateTests : IDisposable
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 128);
    private static readonly RequestId R1 = new("r1");
    private static readonly RequestId R2 = new("r2");

    private readonly string _folder = Directory.CreateTempSubdirectory("durable-").FullName;
    private readonly GatedStore _store = new();
    private readonly FakeBackend _backend = new(TimeProvider.System);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_backend_is_asked_for_nothing_that_is_not_saved()
    {
        await using var runtime = Start();
        _store.Close();

        var assigning = runtime.AssignAsync(F, R1, null, CancellationToken.None).AsTask();
        await Eventually.HoldsAsync(() => _store.Waiting);
        Assert.Equal((0, false), (_backend.CreatedCount, assigning.IsCompleted));

        _store.Open();
        await assigning;
        Assert.Equal(1, _backend.CreatedCount);
        Assert.Equal(1, _store.Load().LastTicket);
    }

    [Fact]
    public async Task A_warm_assign_waits_for_nothing()
    {
        await using var runtime = Start();
        var first = await runtime.AssignAsync(F, R1, null, CancellationToken.None);
        runtime.Release(F.Key, R1, first.Instance, default);
        _store.Close();

        // The store answers nothing, and the assign ends all the same.
        Assert.Equal(GrantKind.Warm, (await runtime.AssignAsync(F, R2, null, CancellationToken.None)).Kind);
        _store.Open();
    }

    [Fact]
    public async Task What_was_idle_is_granted_again_and_what_was_held_is_released()
    {
        AssignedInstance held;
        await using (var first = Start())
        {
            var idle = await first.AssignAsync(F, R1, null, CancellationToken.None);
            held = await first.AssignAsync(F, R2, null, CancellationToken.None);
            first.Release(F.Key, R1, idle.Instance, default);
            await first.StopAsync(keepInstances: true, CancellationToken.None);
        }

        await using var second = Start();

        Assert.Equal(GrantKind.Warm, (await second.AssignAsync(F, new RequestId("r3"), null, CancellationToken.None)).Kind);
        Assert.Equal(ReleaseOutcome.Released, second.Release(F.Key, R2, held.Instance, default));
        Assert.Equal(2, _backend.CreatedCount);
    }

    [Fact]
    public async Task What_was_learned_is_known_after_the_restart()
    {
        await using (var first = Start("adaptive"))
        {
            var assigned = await first.AssignAsync(F, R1, null, CancellationToken.None);
            first.Release(F.Key, R1, assigned.Instance, new ReleaseResult(5000, false));
            await first.StopAsync(keepInstances: false, CancellationToken.None);
        }

        await using var second = Start("adaptive");
        var again = await second.AssignAsync(F, R2, null, CancellationToken.None);
        second.Release(F.Key, R2, again.Instance, default);

        Assert.Equal(2, Assert.Single(second.GetStats().Functions).Arrivals);
    }

    [Fact]
    public async Task Where_it_cannot_be_saved_the_scaler_serves_on_says_so_and_saves_it_later()
    {
        var logger = new ListLogger();
        var state = new DurableState(_store, null, TimeProvider.System, logger);
        await using var runtime = Start(state: state);
        _store.Failing = true;

        var assigned = await runtime.AssignAsync(F, R1, null, CancellationToken.None);

        Assert.Equal("database or disk is full", state.Failure);
        _store.Failing = false;
        await Eventually.HoldsAsync(() => state.Failure is null);
        await Eventually.HoldsAsync(() => _store.Load().Slots is [{ State: SlotState.Busy, Requests: "r1" }]);
        await Eventually.HoldsAsync(() => logger.Lines.Count == 2);
        Assert.Equal(
            ["The state cannot be saved, and the scaler goes on without: database or disk is full", "The state is saved again"], logger.Lines);
        runtime.Release(F.Key, R1, assigned.Instance, default);
    }

    /// <summary>What the marks say when the process ends goes before what the database lags behind with.</summary>
    [Theory]
    [InlineData(SlotState.Idle, null, "none", SlotState.Busy, null)]
    [InlineData(SlotState.Idle, null, "free", SlotState.Idle, null)]
    [InlineData(SlotState.Idle, null, "r2", SlotState.Busy, null)]
    [InlineData(SlotState.Busy, "r1", "free", SlotState.Idle, null)]
    [InlineData(SlotState.Busy, "r1", "r1", SlotState.Busy, "r1")]
    [InlineData(SlotState.Busy, "r1", "r2", SlotState.Busy, null)]
    [InlineData(SlotState.Busy, "r1", "none", SlotState.Busy, null)]
    [InlineData(SlotState.Idle, null, "ending", SlotState.Destroying, null)]
    [InlineData(SlotState.Initializing, null, "free", SlotState.Destroying, null)]
    [InlineData(SlotState.Creating, null, "none", SlotState.Creating, null)]
    public void Who_holds_an_instance_is_known_from_the_marks(SlotState saved, string? request, string mark, SlotState expected, string? holder)
    {
        var path = Path.Combine(_folder, "marks");
        var slot = StateStoreContract.Slot(5, saved, request: request);
        if (mark != "none")
        {
            using var marks = HolderMarks.Create(path, _store.Load().Run, capacity: 8);
            marks.Set(marks.Take(slot.Ticket), mark switch { "free" => HolderMarks.Free, "ending" => HolderMarks.Ending, _ => RequestMarks.Of(new RequestId(mark)) });
        }

        using var state = new DurableState(_store, path, TimeProvider.System, NullLogger.Instance);
        var former = state.Former(slot);

        Assert.Equal((expected, holder), (former.State, former.Requests.Select(r => r.Value).SingleOrDefault()));
        Assert.Equal(mark.StartsWith('r') && holder is null ? RequestMarks.Of(new RequestId(mark)) : 0, former.UnknownMark);
    }

    [Fact]
    public void What_was_learned_of_functions_that_nobody_calls_is_forgotten_after_a_while_and_slowly()
    {
        var (store, clock) = (new MemoryStateStore(), new SoakClock());
        var batch = new StateBatch { LastTicket = 1 };
        foreach (var i in Enumerable.Range(0, 25))
        {
            batch.Learned[new MetaKey($"old-{i}")] = new LearnedBytes(new byte[] { 1 }, 100 + i);
        }

        batch.Learned[new MetaKey("")] = new LearnedBytes(new byte[] { 1 }, 0);
        batch.Learned[new MetaKey("later")] = new LearnedBytes(new byte[] { 1 }, 60_000_000);
        store.Save(batch);
        var state = new DurableState(store, null, clock, NullLogger.Instance, markCapacity: 8, stepped: true) { ForgetAfter = TimeSpan.FromSeconds(90) };
        var scaler = new ScalerRuntime(
            new Undisposed(_backend), PolicyCatalog.Parse("direct"), new ScalerRuntimeOptions { State = state }, clock, NullLogger<ScalerRuntime>.Instance, new Scheduling(_ => { }, TaskCreationOptions.None));

        state.Step(learned: true);
        Assert.Equal(27, store.Load().Learned.Count);

        // One of them is called: what was learned of it is in use.
        _ = scaler.AssignAsync(F with { Key = new MetaKey("old-3") }, R1, null, CancellationToken.None).AsTask();
        clock.Advance(TimeSpan.FromSeconds(100));
        state.Step(learned: true);
        Assert.Equal(27 - DurableState.MostForgottenAtOnce, store.Load().Learned.Count);
        state.Step(learned: true);
        state.Step(learned: true);
        state.Step(learned: true);

        Assert.Equal(["", "later", "old-3"], store.Load().Learned.Keys.Select(k => k.Value).Order(StringComparer.Ordinal));
        Assert.Equal(2, state.FunctionsKnown);
        state.Drop();
    }

    /// <summary>Found by funcscaler soak: the second process knew the holder by its mark alone, and the third did not know it at all.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_two_kills_the_release_of_what_was_granted_before_the_first_is_accepted(bool marked)
    {
        var store = new MemoryStateStore();
        var path = Path.Combine(_folder, "marks");
        var batch = new StateBatch { LastTicket = 5 };
        batch.Slots.Add(StateStoreContract.Slot(5, SlotState.Idle));
        store.Save(batch);
        if (marked)
        {
            using var marks = HolderMarks.Create(path, store.Load().Run, capacity: 8);
            marks.Set(marks.Take(new SlotTicket(5)), RequestMarks.Of(R2));
        }

        var second = Stepped();
        _ = Start(state: second);
        second.Step(learned: false);
        second.Drop();
        await using var third = Start(state: Stepped());
        var (function, slot) = Assert.Single(third.GetInventory());

        Assert.Equal(ReleaseOutcome.Released, third.Release(function, R2, slot.Instance, default));

        DurableState Stepped() => new(store, path, TimeProvider.System, NullLogger.Instance, markCapacity: 8, stepped: true);
    }

    [Fact]
    public void Marks_of_another_run_or_cut_off_are_not_believed()
    {
        var path = Path.Combine(_folder, "marks");
        using (var marks = HolderMarks.Create(path, "run-a", capacity: 8))
        {
            marks.Set(marks.Take(new SlotTicket(5)), 77);
        }

        Assert.Equal(77, HolderMarks.Read(path, "run-a")![5]);
        Assert.Null(HolderMarks.Read(path, "run-b"));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..50]);
        Assert.Null(HolderMarks.Read(path, "run-a"));
        Assert.Null(HolderMarks.Read(path + "none", "run-a"));
    }

    private ScalerRuntime Start(string policy = "ttl:300", DurableState? state = null) => new(
        new Undisposed(_backend),
        PolicyCatalog.Parse(policy),
        new ScalerRuntimeOptions { State = state ?? new DurableState(_store, Path.Combine(_folder, "holders"), TimeProvider.System, NullLogger.Instance) },
        TimeProvider.System,
        NullLogger<ScalerRuntime>.Instance);
}
