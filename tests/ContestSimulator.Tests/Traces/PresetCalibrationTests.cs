using FuncScaler.ContestSimulator.Traces.Presets;

namespace FuncScaler.Tests.Traces;

/// <summary>The presets against the published statistics; docs/reference/presets.md has the figures of the full lengths.</summary>
public sealed class PresetCalibrationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Sparse_has_the_shape_of_the_first_data_set(long seed)
    {
        // Five of 25 epochs.
        const double share = 0.2;
        var s = TraceStatistics.Measure(PresetCatalog.Create("sparse", seed, 550_770 * share));

        Within(0.02, 1_275_642 * share, s.Requests);
        Within(0.15, 909, s.PeakPerMinute / 3.0);
        Assert.InRange(s.InitMinMs, 13, 56);
        Assert.InRange(s.InitMaxMs, 13, 56);
        Assert.Equal((256, 512), (s.MemoryMinMb, s.MemoryMaxMb));
        var lockstep = s.PerFunction.OrderByDescending(f => f.Requests).Take(3).ToArray();
        Assert.All(lockstep, f => Within(0.02, 419_000 * share, f.Requests));
        Assert.All(lockstep, f => Within(0.02, 30, f.MeanDurationMs));
        Assert.Equal(2, lockstep.Count(f => IsWithin(0.1, 59, f.InterArrival.P50Ms) && IsWithin(0.1, 950, f.InterArrival.P95Ms)));
        var timer = s.PerFunction.OrderByDescending(f => f.Requests).ElementAt(3);
        Within(0.01, 30_000, timer.InterArrival.P50Ms);
        Within(0.05, 50, timer.MeanDurationMs);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Dense_has_the_shape_of_the_second_data_set(long seed)
    {
        const double length = 30_000;
        var s = TraceStatistics.Measure(PresetCatalog.Create("dense", seed, length));

        Within(0.03, 9.4 * length, s.Requests);
        var lockstep = s.PerFunction.OrderByDescending(f => f.Requests).Take(4).ToArray();
        Assert.All(lockstep, f => Within(0.03, 1_297_600 * length / 561_570, f.Requests));
        Assert.All(lockstep, f => Assert.InRange(f.MeanDurationMs, 17, 20.5));
        Assert.All(lockstep, f => Within(0.15, 22, f.IdleGap.P50Ms));
        Assert.All(lockstep, f => Within(0.05, 4900, f.IdleGap.P99Ms));
        Within(0.01, length / 30 * 5, s.PerFunction.Min(f => f.Requests));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Faas_has_the_shape_of_the_third_data_set(long seed)
    {
        var s = TraceStatistics.Measure(PresetCatalog.Create("faas", seed));

        Assert.Equal((613, 535), (s.Functions, s.ActiveFunctions));
        Within(0.02, 436_546, s.Requests);
        Within(0.01, 4088, s.SpanSeconds);
        Within(0.05, 429_440, s.ExecutionSeconds);
        Within(0.05, 197_576, s.ExecutionGbSeconds);
        Within(0.15, 836, s.PeakPerSecond);
        Within(0.05, 325, s.InitP50Ms);
        Within(0.1, 4500, s.InitP90Ms);
        Within(0.01, 120_000, s.InitMaxMs);
        Assert.Equal((128, 8192), (s.MemoryMinMb, s.MemoryMaxMb));
        var heavy = s.PerFunction.MaxBy(f => f.GbSeconds)!;
        Within(0.1, 973, heavy.Requests);
        Within(0.02, 213_000, heavy.MeanDurationMs);
        Within(0.1, 0.52, heavy.GbSeconds / s.ExecutionGbSeconds);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Smoke_has_the_shape_of_the_smoke_test(long seed)
    {
        var s = TraceStatistics.Measure(PresetCatalog.Create("smoke", seed));

        Assert.Equal((980, 127, 127, 806, 4), (s.Requests, s.Functions, s.ActiveFunctions, s.PeakPerSecond, s.BrokenRequests));
        Within(0.03, 11.2, s.SpanSeconds);
        Within(0.06, 82, s.InitMinMs);
        Within(0.05, 15_000, s.InitMaxMs);
    }

    private static bool IsWithin(double tolerance, double published, double generated) =>
        Math.Abs(generated - published) <= tolerance * published;

    private static void Within(double tolerance, double published, double generated) =>
        Assert.True(IsWithin(tolerance, published, generated), $"Published {published}, generated {generated}: not within {tolerance:P0}.");
}
