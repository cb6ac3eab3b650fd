using System.Text.Json;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.ScalerFunctions.Durable;

namespace FuncScaler.Tests;

public sealed class SlotPoolEntityTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 128);
    private static readonly WorkerId W = new("w1");

    private readonly EntityDriver _entity = new();

    [Fact]
    public async Task A_ticket_that_a_worker_intends_is_entered_and_its_lease_is_no_business_of_the_pool()
    {
        await _entity.ReportAsync(Report(1, new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = new SlotTicket(7) }));

        var view = PoolLedger.ViewFor(_entity.State, W);
        Assert.Equal((1, 1), (view.Sequence, view.Operation));
        Assert.Equal(new SlotTicket(7), Assert.Single(view.Tickets));
        Assert.Empty(_entity.Signals);
    }

    [Fact]
    public async Task A_worker_that_is_silent_for_its_lease_is_dead_and_everything_is_looked_at()
    {
        var life = new EntityDriver(worker: W);
        await life.BeatAsync(new WorkerBeat { Worker = W, Sequence = 1, ReserveTo = 256 });
        var wake = Assert.Single(life.Signals);
        Assert.Equal("Wake", wake.Operation);
        life.Time.Advance(wake.At!.Value - life.Time.GetUtcNow());
        await life.CallAsync("Wake");
        Assert.Equal(("ReconcilePools", "reconcile-after-w1"), (life.Started.Single().Name, life.Started.Single().Id));
        Assert.Contains("\"expired\":true", life.Json, StringComparison.Ordinal);

        // It is remembered for a day, and refused.
        await life.BeatAsync(new WorkerBeat { Worker = W, Sequence = 2, Renewal = true, ReserveTo = 256 });
        Assert.Contains("\"expired\":true", life.Json, StringComparison.Ordinal);
        await life.CallAsync("Swept");
        life.Time.Advance(TimeSpan.FromHours(24) + TimeSpan.FromSeconds(1));
        await life.CallAsync("Wake");
        Assert.Null(life.Json);
    }

    [Fact]
    public async Task An_instance_that_is_returned_is_leased_to_the_next_worker_that_waits()
    {
        await HaveInstanceAsync();

        await _entity.ReportAsync(new WorkerReport { Worker = new WorkerId("w2"), Sequence = 1, Function = F, FirstOperation = 1, Waiting = 1 });

        var lease = Assert.Single(PoolLedger.ViewFor(_entity.State, new WorkerId("w2")).Leases);
        Assert.Equal(new InstanceId("i-7"), lease.Instance);
        Assert.Empty(PoolLedger.ViewFor(_entity.State, W).Leases);
    }

    [Fact]
    public async Task A_wish_for_provisioned_instances_starts_as_many_provisionings_each_under_its_own_name()
    {
        await _entity.CallAsync("SetProvisioned", new ProvisionedWish(F, 3));

        Assert.Equal(3, _entity.Started.Count);
        Assert.Equal(3, _entity.Started.Select(s => s.Id).Distinct().Count());
        Assert.All(_entity.Started, s => Assert.Equal("ProvisionSlot", s.Name));
        var request = JsonSerializer.Deserialize<ProvisionRequest>(_entity.Started[0].Input)!;
        Assert.Equal(F, request.Function);
        Assert.Equal(request.Name, _entity.Started[0].Id);
    }

    [Fact]
    public async Task What_provisionings_answer_becomes_idle_slots_or_is_tried_again()
    {
        await _entity.CallAsync("SetProvisioned", new ProvisionedWish(F, 2));
        var requests = _entity.Started.Select(s => JsonSerializer.Deserialize<ProvisionRequest>(s.Input)!).ToList();

        await _entity.CallAsync("Provisioned", new ProvisionedSlot(requests[0].Ticket, new BackendSlotId("b1"), requests[0].Instance, null, 10, 20));
        await _entity.CallAsync("ProvisionFailed", new ProvisionFailure(requests[1].Ticket, new SlotFailure(FailureKind.Transient, "no room")));

        var slot = Assert.Single(_entity.State.Slots.Values);
        Assert.Equal((LedgerSlotState.Idle, new BackendSlotId("b1")), (slot.State, slot.BackendSlot));
        Assert.Equal("no room", _entity.State.LastFailure);
        _entity.Time.Advance(TimeSpan.FromSeconds(11));
        await _entity.CallAsync("Wake");
        Assert.Equal(3, _entity.Started.Count);
    }

    [Fact]
    public async Task A_broken_instance_is_destroyed_until_the_backend_confirms()
    {
        await HaveInstanceAsync(ReturnKind.Broken);

        var started = Assert.Single(_entity.Started);
        Assert.Equal(("DestroySlot", "destroy-7-1"), (started.Name, started.Id));
        var request = JsonSerializer.Deserialize<DestroyRequest>(started.Input)!;
        Assert.Equal((F.Key, new SlotTicket(7), new BackendSlotId("b7")), (request.Function, request.Ticket, request.BackendSlot));

        await _entity.CallAsync("Destroyed", new DestroyOutcome(request.Ticket, request.Attempt, new SlotFailure(FailureKind.Transient, "busy")));
        Assert.Single(_entity.State.Slots);
        _entity.Time.Advance(TimeSpan.FromSeconds(1));
        await _entity.CallAsync("Wake");
        Assert.Equal("destroy-7-2", _entity.Started[^1].Id);

        await _entity.CallAsync("Destroyed", new DestroyOutcome(request.Ticket, 2, null));
        Assert.Empty(_entity.State.Slots);
    }

    [Fact]
    public async Task The_sweep_gives_up_slots_that_the_backend_does_not_list()
    {
        await HaveInstanceAsync();
        _entity.Time.Advance(TimeSpan.FromMinutes(1));

        await _entity.CallAsync("Sweep", new PoolSweep(Us(_entity.Time.GetUtcNow()), []));

        Assert.Empty(_entity.State.Slots);
    }

    [Fact]
    public async Task The_sweep_asks_to_be_woken_again_because_a_timer_may_have_been_lost()
    {
        await HaveInstanceAsync();
        _entity.Signals.Clear();
        _entity.Time.Advance(TimeSpan.FromMinutes(4));

        await _entity.CallAsync("Sweep", new PoolSweep(Us(_entity.Time.GetUtcNow()), null));

        Assert.Equal("Wake", Assert.Single(_entity.Signals).Operation);
        Assert.Single(_entity.State.Slots);
    }

    [Fact]
    public async Task A_state_of_the_previous_format_is_read_and_written_in_the_current_one()
    {
        _entity.Json = """
            {"format":1,"function":{"key":"f","runtime":"go","timeoutSeconds":60,"memoryMb":128},
             "slots":[{"ticket":5,"state":"Idle","backendSlot":"b5","instance":"i-5","memoryMb":128,"runtime":"go","sinceUs":1}]}
            """;

        await _entity.CallAsync("Wake");

        Assert.Contains("\"format\":4", _entity.Json, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Repeated_reports_change_nothing()
    {
        var report = Report(1, new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = new SlotTicket(7) });
        await _entity.ReportAsync(report);
        var once = _entity.State.Slots.Keys.ToList();

        await _entity.ReportAsync(report);

        Assert.Equal(once, _entity.State.Slots.Keys);
        Assert.Equal(1, _entity.State.Workers[W.Value].Operation);
    }

    [Theory]
    [InlineData("f", "f")]
    [InlineData("a-b_c.D:9", "a-b_c.D:9")]
    [InlineData("with/slash", null)]
    [InlineData("with space", null)]
    [InlineData("函数", null)]
    [InlineData("", "")]
    public void Function_keys_that_storage_could_refuse_are_named_by_their_hash(string key, string? name)
    {
        var entity = PoolNames.EntityOf(new MetaKey(key));

        Assert.Equal("slotpoolentity", entity.Name);
        if (name is not null)
        {
            Assert.Equal(name, entity.Key);
        }
        else
        {
            Assert.Matches("^~[0-9a-f]{64}$", entity.Key);
        }
    }

    private static long Us(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / 10;

    private static WorkerReport Report(long sequence, params WorkerOperation[] operations) => Report(sequence, 1, operations);

    private static WorkerReport Report(long sequence, long firstOperation, params WorkerOperation[] operations) =>
        new() { Worker = W, Sequence = sequence, Function = F, FirstOperation = firstOperation, Operations = operations };

    /// <summary>Worker 1 has created slot 7 and given it back.</summary>
    private async Task HaveInstanceAsync(ReturnKind returned = ReturnKind.Idle)
    {
        var ticket = new SlotTicket(7);
        await _entity.ReportAsync(Report(1, new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = ticket }));
        await _entity.ReportAsync(Report(
            2,
            2,
            new WorkerOperation { Kind = WorkerOperationKind.Created, Ticket = ticket, BackendSlot = new BackendSlotId("b7"), TimeUs = 1000 },
            new WorkerOperation { Kind = WorkerOperationKind.Ready, Ticket = ticket, Instance = new InstanceId("i-7"), TimeUs = 1000 },
            new WorkerOperation { Kind = WorkerOperationKind.Return, Ticket = ticket, Epoch = 1, Return = returned }));
        Assert.Equal(returned == ReturnKind.Idle ? LedgerSlotState.Idle : LedgerSlotState.Destroying, Assert.Single(_entity.State.Slots.Values).State);
    }
}
