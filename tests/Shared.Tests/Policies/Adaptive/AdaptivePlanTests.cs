using FsCheck.Fluent;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Policies.Adaptive;

public class AdaptivePlanTests
{
    private const long Second = 1_000_000;

    /// <summary>Held for 1 s, then again from 5 s to 6 s; a cold start takes 0.5 s.</summary>
    [Theory]
    [InlineData(0, true, 0, 0)]
    [InlineData(0.4, true, 0.4, 0)]
    [InlineData(1, true, 1, 0)]
    [InlineData(3, false, 1, 0)]
    [InlineData(4.7, true, 1.2, 0.3)]
    [InlineData(5, true, 1.5, 0)]
    [InlineData(5.5, true, 2, 0)]
    [InlineData(6, true, 2.5, 0)]
    [InlineData(7, false, 2.5, 0)]
    public void A_gap_costs_what_is_held_until_it_ends(double gap, bool served, double held, double late)
    {
        Assert.Equal(served, Twice().Serves((long)(gap * Second), Second / 2, out var heldUs, out var lateUs));
        Assert.Equal(held * Second, heldUs, 0.5);
        Assert.Equal(late * Second, lateUs, 0.5);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.9, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(4.4, 4.4)]
    [InlineData(4.5, 6)]
    [InlineData(5.9, 6)]
    [InlineData(6, 6)]
    [InlineData(100, 100)]
    public void What_is_ready_is_kept_to_the_end_of_the_part_it_is_ready_in(double age, double until) =>
        Assert.Equal(until * Second, Twice().KeepUntilUs((long)(age * Second), Second / 2), 0.5);

    [Fact]
    public void There_is_room_for_so_many_parts()
    {
        var plan = AdaptivePlan.HoldFor(Second);
        for (var i = 1; i < AdaptivePlan.MaxParts; i++)
        {
            Assert.True(plan.Add(10 * i * Second, ((10 * i) + 1) * Second));
            Assert.Equal((10 * i * Second, ((10 * i) + 1) * Second), plan.Prewarm(i)); // Exact for round times as short.
        }

        Assert.False(plan.Add(1000 * Second, 1001 * Second));
        Assert.Equal((AdaptivePlan.MaxParts - 1, Second), (plan.Prewarms, plan.HoldUs));
        Assert.Equal((10 * plan.Prewarms * Second) + Second, plan.EndUs);
    }

    [Fact]
    public void The_longer_a_gap_the_more_is_held_but_never_more_than_the_gap() => Properties.Check(
        (from lengths in Gen.ArrayOf(Gen.Choose(1, 5_000_000), 2 * AdaptivePlan.MaxParts)
         from lead in Gen.Choose(0, 3_000_000)
         from gaps in Gen.ArrayOf(Gen.Choose(0, 40_000_000), 20)
         select (lengths, (long)lead, gaps)).ToArbitrary(),
        of =>
        {
            var (lengths, leadUs, gaps) = of;
            var plan = AdaptivePlan.HoldFor(lengths[0]);
            for (var i = 2; i < lengths.Length; i += 2)
            {
                var fromUs = plan.EndUs + leadUs + lengths[i - 1];
                Assert.True(plan.Add(fromUs, fromUs + lengths[i]));
            }

            long lastGap = 0, lastHeld = 0;
            foreach (long gapUs in gaps.Order())
            {
                var served = plan.Serves(gapUs, leadUs, out var heldUs, out var lateUs);
                Assert.InRange(heldUs - lastHeld, 0, gapUs - lastGap);
                Assert.InRange(lateUs, 0, leadUs);

                // Served is who finds what is kept.
                Assert.Equal(served, plan.KeepUntilUs(gapUs, leadUs) > gapUs || IsEnd(plan, gapUs));
                (lastGap, lastHeld) = (gapUs, heldUs);
            }
        });

    private static bool IsEnd(AdaptivePlan plan, long gapUs) =>
        gapUs == plan.HoldUs || Enumerable.Range(1, plan.Prewarms).Any(i => plan.Prewarm(i).UntilUs == gapUs);

    private static AdaptivePlan Twice()
    {
        var plan = AdaptivePlan.HoldFor(Second);
        Assert.True(plan.Add(5 * Second, 6 * Second));
        return plan;
    }
}
