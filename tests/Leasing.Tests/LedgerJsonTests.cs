using System.Text.Json;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Tests.Leasing;

public class LedgerJsonTests
{
    [Fact]
    public void A_ledger_of_format_1_is_read_and_goes_on()
    {
        var state = LeasingJson.ReadLedger(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "ledger-1.json")));
        Assert.Equal(4, state.Format);
        Assert.Equal([1048577, 2097153, 2097154], state.Slots.Keys.Order());
        Assert.Equal(new WorkerId("worker-a"), state.Slots[1048577].Owner);
        Assert.Equal(3, state.Slots[1048577].Epoch);
        Assert.Equal(1_700_000_030_000_000, state.Workers["worker-a"].ExpiresUs);

        // Its workers have no ledgers of their own: what they had is not used again, and destroyed when no request can hold it any more.
        Assert.Equal(LedgerSlotState.Suspect, state.Slots[1048577].State);
        var stage = new Stage();
        var ledger = new PoolLedger(state, Policies.PolicyCatalog.Parse("ttl:60"), stage.Options);
        var effects = new List<LedgerEffect>();
        ledger.Wake(state.Slots[1048577].DueUs, effects);
        Assert.Contains(effects, e => e.Kind == LedgerEffectKind.Destroy && e.Ticket.Value == 1048577);
    }

    [Fact]
    public void A_ledger_of_format_3_is_read_with_the_request_that_held_a_slot()
    {
        var state = LeasingJson.ReadLedger(
            """{"format":3,"slots":{"7":{"state":"Entrusted","holder":"r1","instance":"i-7"},"8":{"state":"Idle","instance":"i-8"}},"function":{"key":"f","runtime":"go","timeoutSeconds":1,"memoryMb":512}}""");

        Assert.Equal((4, 1, 0), (state.Format, state.Function!.MaxConcurrency, state.Places));
        Assert.Equal([new RequestId("r1")], state.Slots[7].Holders!);
        Assert.Null(state.Slots[8].Holders);
    }

    [Fact]
    public void What_a_worker_of_before_tells_is_understood()
    {
        var report = LeasingJson.ReadReport(
            """{"worker":"w","sequence":1,"firstOperation":1,"function":{"key":"f","runtime":"go","timeoutSeconds":1,"memoryMb":512},"operations":[{"kind":"Return","return":"Entrusted","ticket":7,"request":"r1"}]}""");

        Assert.Equal((0, 1), (report.Places, report.Function!.MaxConcurrency));
        Assert.Equal(new RequestId("r1"), report.Operations.Single().Request);
        Assert.Null(report.Operations.Single().AlsoHeldBy);
    }

    [Fact]
    public void A_ledger_is_the_same_after_writing_and_reading()
    {
        var stage = new Stage();
        stage.ColdStart("w1", "r1", 101);
        stage.ColdStart("w2", "r2", 201);
        stage.Release("w1", "r2", "i-201", ReleaseOutcome.Forwarded);
        stage.Report("w1");
        stage.Report("w2");
        stage.Tell((l, e) => l.SetProvisioned(stage.NowUs, Stage.Function, 4, e));
        var json = LeasingJson.Write(stage.Ledger.State);
        Assert.Equal(json, LeasingJson.Write(LeasingJson.ReadLedger(json)));

        // As the entity's state, by a serialiser that knows nothing of this one.
        var document = JsonSerializer.Serialize(new LedgerDocument(stage.Ledger.State));
        Assert.Equal(json, document);
        Assert.Equal(json, LeasingJson.Write(JsonSerializer.Deserialize<LedgerDocument>(document)!.State));
    }

    [Fact]
    public void A_thousand_slots_take_a_third_of_a_megabyte_at_most()
    {
        var state = new LedgerState { Function = Stage.Function };
        for (var i = 0; i < 1000; i++)
        {
            state.Slots.Add((1L << 60) + i, new LedgerSlot
            {
                State = LedgerSlotState.Leased,
                Owner = new WorkerId("host-123456-0123456789abcdef"),
                Epoch = 12,
                Ordinal = i,
                BackendSlot = new BackendSlotId($"slot-{i:000000}"),
                Instance = new InstanceId($"i-{(1L << 60) + i}"),
                MemoryMb = 512,
                Runtime = "python",
                CreatedUs = 1_700_000_000_000_000,
                SinceUs = 1_700_000_000_000_000,
                Uses = 100,
            });
        }

        Assert.InRange(LeasingJson.Write(state).Length, 100_000, 350_000);
    }

    [Fact]
    public void Messages_pass_through_any_serialiser()
    {
        var stage = new Stage();
        stage.ColdStart("w1", "r1", 101);
        stage.Release("w1", "r9", "i-999", ReleaseOutcome.Forwarded);
        var report = stage.Worker("w1").TakeReport(stage.NowUs);
        Assert.Equal(LeasingJson.Write(report), LeasingJson.Write(Passed(report)));
        stage.Report("w1");
        var view = stage.Ledger.ViewFor(new WorkerId("w1"));
        Assert.Equal(LeasingJson.Write(view), LeasingJson.Write(Passed(view)));
        var request = new ProvisionRequest(Stage.Function, new SlotTicket(7), new InstanceId("i-7"), 5);
        Assert.Equal(request, Passed(request));
        var slot = new ProvisionedSlot(new SlotTicket(7), new BackendSlotId("s"), new InstanceId("i-7"), new Uri("http://a"), 1, 2);
        Assert.Equal(slot, Passed(slot));
        var failure = new SlotFailure(FailureKind.Throttled, "slower", 3, true);
        Assert.Equal(failure, Passed(failure));
        var listed = new ListedSlot(new BackendSlotId("s"), new SlotTicket(7));
        Assert.Equal(listed, Passed(listed));
    }

    private static T Passed<T>(T message) => JsonSerializer.Deserialize<T>(JsonSerializer.Serialize(message))!;

    [Theory]
    [InlineData("""{"format":5,"slots":{}}""", "format 5")]
    [InlineData("""{"slots":{}}""", "number 'format'")]
    [InlineData("[]", "number 'format'")]
    [InlineData("nonsense", "must be JSON")]
    public void What_is_no_ledger_is_refused_with_a_reason(string json, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => LeasingJson.ReadLedger(json)).Message, StringComparison.Ordinal);
}
