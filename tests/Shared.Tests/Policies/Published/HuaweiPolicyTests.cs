namespace FuncScaler.Tests.Policies.Published;

public class HuaweiPolicyTests
{
    // "Keep alive for one minute" (EuroSys 2025).
    [Fact]
    public void An_idle_instance_goes_after_a_minute()
    {
        var bench = new PolicyBench("huawei");
        var function = PolicyBench.Function();
        bench.Run(function, 1);
        var freed = bench.Now;

        bench.AdvanceTo(200);

        Assert.Equal([freed + 60], bench.Destroys(function));
    }
}
