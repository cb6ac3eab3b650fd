using FsCheck.Fluent;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class RunningTimeTests
{
    [Fact]
    public void Before_the_first_observation_there_is_no_estimate()
    {
        Assert.Equal((0, 0.0), (new RunningTime().Count, new RunningTime().MeanUs));
    }

    [Fact]
    public void The_first_sixteen_observations_are_averaged() => Properties.Check(
        (from count in Gen.Choose(1, 16)
         from values in Gen.ArrayOf(Gen.Choose(0, 1_000_000_000), count)
         select values).ToArbitrary(),
        values =>
        {
            var time = new RunningTime();
            foreach (var value in values)
            {
                time.Add(value);
            }

            Assert.Equal(values.Average(), time.MeanUs, 1e-3);
            Assert.Equal(values.Length, time.Count);
        });

    [Fact]
    public void Later_ones_are_weighted_so_that_a_change_is_followed_within_a_few_dozen()
    {
        var time = new RunningTime();
        for (var i = 0; i < 1_000; i++)
        {
            time.Add(100);
        }

        for (var i = 0; i < 48; i++)
        {
            time.Add(1_100);
        }

        Assert.InRange(time.MeanUs, 1_050, 1_100);
    }

    [Fact]
    public void The_estimate_lies_between_the_extremes() => Properties.Check(
        Gen.NonEmptyListOf(Gen.Choose(0, 1_000_000)).ToArbitrary(),
        values =>
        {
            var time = new RunningTime();
            foreach (var value in values)
            {
                time.Add(value);
            }

            Assert.InRange(time.MeanUs, values.Min() - 1e-6, values.Max() + 1e-6);
        });
}
