using FsCheck.Fluent;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Policies.Adaptive.Planning;

public class KeepAlivePlanTests
{
    private const long Second = 1_000_000;
    private const long LeadUs = 512_000;

    /// <summary>Held for 1.024 s, then again from 4.096 s to 8.192 s; a cold start takes 0.512 s.</summary>
    [Theory]
    [InlineData(0, true, 0, 0)]
    [InlineData(0.4, true, 0.4, 0)]
    [InlineData(1.024, true, 1.024, 0)]
    [InlineData(3, false, 1.024, 0)]
    [InlineData(3.8, true, 1.24, 0.296)]
    [InlineData(4.096, true, 1.536, 0)]
    [InlineData(6, true, 3.44, 0)]
    [InlineData(8.192, true, 5.632, 0)]
    [InlineData(9, false, 5.632, 0)]
    public void A_gap_costs_what_is_held_until_it_ends(double gap, bool served, double held, double late)
    {
        var live = true;
        var lateUs = Twice().Follow(ref live, 0, (long)(gap * Second), LeadUs, 0, out var heldUs);
        Assert.Equal(served, live);
        Assert.Equal(held * Second, heldUs, 0.5);
        Assert.Equal(late * Second, lateUs, 0.5);
    }

    [Theory]
    [InlineData(0.5, 1, false, 0, 0)]
    [InlineData(0.5, 3.8, true, 0.216, 0.296)]
    [InlineData(0.5, 5, true, 1.416, 0)]
    [InlineData(3.5, 5, true, 1.416, 0)]
    [InlineData(3.6, 5, false, 0, 0)]
    [InlineData(6, 9, false, 0, 0)]
    public void What_has_been_given_back_is_there_again_only_from_the_next_creation_on(double age, double until, bool served, double held, double late)
    {
        var live = false;
        var lateUs = Twice().Follow(ref live, (long)(age * Second), (long)(until * Second), LeadUs, 0, out var heldUs);
        Assert.Equal(served, live);
        Assert.Equal(held * Second, heldUs, 0.5);
        Assert.Equal(late * Second, lateUs, 0.5);
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(3.6, 1)]
    [InlineData(9, 1)]
    public void Each_creation_costs_what_it_is_said_to_cost_besides(double gap, int creations)
    {
        var live = true;
        Twice().Follow(ref live, 0, (long)(gap * Second), LeadUs, 0, out var heldUs);
        live = true;
        Twice().Follow(ref live, 0, (long)(gap * Second), LeadUs, 7 * Second, out var withCostUs);
        Assert.Equal(heldUs + (creations * 7 * Second), withCostUs);
    }

    [Fact]
    public void What_is_there_is_kept_where_there_is_no_time_left_to_create_it_again()
    {
        // Cold starts have come to take longer since the plan was made.
        var live = true;
        var lateUs = Twice().Follow(ref live, 0, 6 * Second, 4 * Second, 0, out var heldUs);
        Assert.Equal((true, 0L, 6 * Second), (live, lateUs, heldUs));
    }

    [Theory]
    [InlineData(0, 1.024)]
    [InlineData(0.9, 1.024)]
    [InlineData(1.024, 1.024)]
    [InlineData(2, 2)]
    [InlineData(3.5, 3.5)]
    [InlineData(3.584, 8.192)]
    [InlineData(8, 8.192)]
    [InlineData(8.192, 8.192)]
    [InlineData(100, 100)]
    public void What_is_ready_is_kept_to_the_end_of_the_part_it_is_ready_in(double age, double until) =>
        Assert.Equal(until * Second, Twice().KeepUntilUs((long)(age * Second), LeadUs), 0.5);

    [Fact]
    public void The_last_part_can_be_made_longer()
    {
        var plan = Twice();
        plan.GoOnUntil(BinUntil(16.384));
        Assert.Equal((1, 16_384_000L), (plan.Prewarms, plan.EndUs));

        plan = KeepAlivePlan.HoldFor(Second);
        plan.GoOnUntil(BinUntil(16.384));
        Assert.Equal((0, 16_384_000L), (plan.Prewarms, plan.HoldUs));
    }

    [Fact]
    public void There_is_room_for_so_many_parts()
    {
        var plan = KeepAlivePlan.HoldFor(Second);
        for (var i = 1; i < KeepAlivePlan.MaxParts; i++)
        {
            Assert.True(plan.Add(40 + (10 * i), 42 + (10 * i)));
            Assert.Equal(((long)LogHistogram.LowerBoundUs(40 + (10 * i)), (long)LogHistogram.UpperBoundUs(42 + (10 * i))), plan.Prewarm(i));
        }

        Assert.False(plan.Add(90, 91));
        Assert.Equal((KeepAlivePlan.MaxParts - 1, Second), (plan.Prewarms, plan.HoldUs));
        Assert.Equal(plan.Prewarm(plan.Prewarms).UntilUs, plan.EndUs);
    }

    [Fact]
    public void The_longer_a_gap_the_more_is_held_but_never_more_than_the_gap() => Properties.Check(
        (from steps in Gen.ArrayOf(Gen.Choose(1, 8), 2 * KeepAlivePlan.MaxParts)
         from lead in Gen.Choose(0, 1_000_000)
         from gaps in Gen.ArrayOf(Gen.Choose(0, 2_000_000_000), 20)
         select (steps, (long)lead, gaps)).ToArbitrary(),
        of =>
        {
            // From 8 s on, so that two bins are always further apart than a cold start lasts.
            var (steps, leadUs, gaps) = of;
            var bin = BinUntil(8.192) + steps[0];
            var plan = KeepAlivePlan.HoldFor(LogHistogram.UpperBoundUs(bin));
            for (var i = 2; i < steps.Length; i += 2)
            {
                var from = bin + 1 + steps[i - 1];
                bin = from + steps[i];
                Assert.True(plan.Add(from, bin));
            }

            long lastGap = 0, lastHeld = 0;
            var live = true;
            foreach (long gapUs in gaps.Order())
            {
                var served = true;
                var lateUs = plan.Follow(ref served, 0, gapUs, leadUs, 0, out var heldUs);
                Assert.InRange(heldUs - lastHeld, 0, gapUs - lastGap);
                Assert.InRange(lateUs, 0, leadUs);

                // Served is who finds what is kept.
                Assert.Equal(served, plan.KeepUntilUs(gapUs, leadUs) > gapUs || IsEnd(plan, gapUs));

                // To look at it in between changes nothing.
                Assert.Equal(lateUs, plan.Follow(ref live, lastGap, gapUs, leadUs, 0, out var heldSince));
                Assert.Equal((served, heldUs - lastHeld), (live, heldSince));
                (lastGap, lastHeld) = (gapUs, heldUs);
            }
        });

    private static bool IsEnd(KeepAlivePlan plan, long gapUs) =>
        gapUs == plan.HoldUs || Enumerable.Range(1, plan.Prewarms).Any(i => plan.Prewarm(i).UntilUs == gapUs);

    private static KeepAlivePlan Twice()
    {
        var plan = KeepAlivePlan.HoldFor(1_024_000);
        Assert.True(plan.Add(BinUntil(4.096) + 1, BinUntil(8.192)));
        return plan;
    }

    private static int BinUntil(double seconds) => LogHistogram.BinOf((long)(seconds * Second));
}
