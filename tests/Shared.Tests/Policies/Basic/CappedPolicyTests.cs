namespace FuncScaler.Tests.Policies.Basic;

public class CappedPolicyTests
{
    // "When more than 10 instances are idle, release at once, without waiting for GC_Time; of large ones (2 GB) keep at most 1."
    [Theory]
    [InlineData(512, 10)]
    [InlineData(2047, 10)]
    [InlineData(2048, 1)]
    [InlineData(4096, 1)]
    public void Instances_beyond_the_bound_are_released_at_once_and_the_others_after_their_time(int memoryMb, int kept)
    {
        var bench = new PolicyBench("capped");
        var function = PolicyBench.Function(memoryMb: memoryMb);

        bench.RunTogether(function, 12, 1);

        Assert.Equal(kept, bench.Pool(function).IdleCount);
        Assert.Equal(12 - kept, bench.Destroys(function).Count(at => at == 1));
        bench.AdvanceTo(1000);
        Assert.Equal(kept, bench.Destroys(function).Count(at => at == 61));
    }
}
