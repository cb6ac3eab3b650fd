using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Platform;

namespace FuncScaler.Tests.Platform;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Without_latencies_all_figures_are_zero()
    {
        var histogram = new LatencyHistogram();
        Assert.Equal((0, 0, 0), (histogram.Count, histogram.MeanMs, histogram.PercentileMs(0.99)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(104_500)]
    [InlineData(long.MaxValue)]
    public void One_latency_is_found_again_within_four_permille(long valueUs)
    {
        var histogram = new LatencyHistogram();
        histogram.Add(valueUs);
        Assert.InRange(histogram.PercentileMs(0.5), valueUs / 1e3 * 0.996, valueUs / 1e3 * 1.004);
    }

    [Fact]
    public void Percentiles_agree_with_the_sorted_latencies_within_four_permille() =>
        Prop.ForAll<int[]>(values =>
        {
            var latencies = values.Select(value => Math.Abs((long)value) * 997).Order().ToArray();
            var histogram = new LatencyHistogram();
            foreach (var latency in latencies)
            {
                histogram.Add(latency);
            }

            foreach (var share in latencies.Length == 0 ? Array.Empty<double>() : [0, 0.5, 0.95, 0.99, 1])
            {
                var exactMs = latencies[Math.Max(0, (int)Math.Ceiling(share * latencies.Length) - 1)] / 1e3;
                Assert.InRange(histogram.PercentileMs(share), exactMs * 0.996, exactMs * 1.004);
            }
        }).QuickCheckThrowOnFailure();
}
