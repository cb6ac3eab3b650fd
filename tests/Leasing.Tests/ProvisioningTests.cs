using FuncScaler.Leasing.Ledger;
using static FuncScaler.Tests.Leasing.Stage;

namespace FuncScaler.Tests.Leasing;

public class ProvisioningTests
{
    private static readonly SlotFailure Transient = new(FailureKind.Transient, "busy");
    private static readonly SlotFailure Permanent = new(FailureKind.Permanent, "no such size");
    private static readonly SlotFailure Lost = new(FailureKind.Transient, "no answer", OutcomeUnknown: true);
    private static readonly BackendSlotId Slot = new("s1");

    [Fact]
    public void It_waits_for_its_turn_creates_initialises_and_registers()
    {
        var work = new Provisioning(10 * Second, 4 * Second, new SlotPoolOptions());
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Wait, 6 * Second), work.Next);
        work.Waited(10 * Second);
        Assert.Equal(ProvisionStepKind.Create, work.Next.Kind);
        work.Created(12 * Second, Slot);
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Init, 0, Slot), work.Next);
        work.Done(15 * Second, new Uri("http://10.0.0.1"));
        Assert.Equal(ProvisionStepKind.Register, work.Next.Kind);
        var request = new ProvisionRequest(Function, new SlotTicket(7), new InstanceId("i-7"), 0);
        Assert.Equal(
            new ProvisionedSlot(request.Ticket, Slot, request.Instance, new Uri("http://10.0.0.1"), 2 * Second, 3 * Second), work.Result(request));
    }

    [Fact]
    public void A_create_that_fails_is_tried_again_with_growing_pauses_and_then_given_up()
    {
        var work = new Provisioning(0, 0, new SlotPoolOptions());
        var pauses = new List<long>();
        for (var i = 1; i < Provisioning.MaxAttempts; i++)
        {
            work.Failed(0, Transient);
            pauses.Add(work.Next.WaitUs);
            work.Waited(0);
            Assert.Equal(ProvisionStepKind.Create, work.Next.Kind);
        }

        work.Failed(0, Transient);
        Assert.Equal([100 * Ms, 200 * Ms, 400 * Ms], pauses);
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Report, 0, default, Transient), work.Next);
    }

    [Fact]
    public void A_throttled_create_waits_for_as_long_as_the_backend_asks()
    {
        var work = new Provisioning(0, 0, new SlotPoolOptions());
        work.Failed(0, new SlotFailure(FailureKind.Throttled, "slower", 30 * Second));
        Assert.Equal(30 * Second, work.Next.WaitUs);
    }

    [Fact]
    public void What_the_backend_refuses_for_good_is_not_tried_again()
    {
        var work = new Provisioning(0, 0, new SlotPoolOptions());
        work.Failed(0, Permanent);
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Report, 0, default, Permanent), work.Next);
    }

    [Fact]
    public void A_create_whose_answer_is_lost_is_destroyed_by_its_ticket_and_left_to_the_ledger()
    {
        var work = new Provisioning(0, 0, new SlotPoolOptions());
        work.Failed(0, Lost);
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Destroy), work.Next);
        work.Done(0);
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Report, 0, default, Lost), work.Next);
    }

    [Fact]
    public void A_slot_that_cannot_be_initialised_is_destroyed()
    {
        var work = new Provisioning(0, 0, new SlotPoolOptions());
        work.Created(0, Slot);
        work.Failed(0, Permanent);
        Assert.Equal(new ProvisionStep(ProvisionStepKind.Destroy, 0, Slot), work.Next);
        work.Done(0);
        Assert.Equal(Permanent, work.Next.Failure);
    }

    [Fact]
    public void A_slot_that_cannot_be_destroyed_either_is_left_to_the_ledger()
    {
        var work = new Provisioning(0, 0, new SlotPoolOptions());
        work.Created(0, Slot);
        work.Failed(0, Permanent);
        for (var i = 0; i < Provisioning.MaxAttempts; i++)
        {
            Assert.Equal(ProvisionStepKind.Destroy, work.Next.Kind);
            work.Failed(0, Transient);
            work.Waited(0);
        }

        Assert.Equal(Permanent with { OutcomeUnknown = true }, work.Next.Failure);
    }

    [Fact]
    public void A_budget_gives_a_burst_and_then_a_rate()
    {
        var budget = default(CreateBudget);
        var waits = new List<long>();
        for (var i = 0; i < 5; i++)
        {
            budget = budget.Take(100 * Second, 2, 60, out var notBeforeUs);
            waits.Add((notBeforeUs - (100 * Second)) / Second);
        }

        Assert.Equal([0, 0, 1, 2, 3], waits);
        budget.Take(1000 * Second, 2, 60, out var laterUs);
        Assert.Equal(1000 * Second, laterUs);
    }
}
