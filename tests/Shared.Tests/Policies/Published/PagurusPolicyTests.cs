using FuncScaler.Policies.Published;

namespace FuncScaler.Tests.Policies.Published;

public class PagurusPolicyTests
{
    // One arrival in the time of an execution. Two instances: Erlang's C is 1/3, and 1 - exp(-(2 - 1)) / 3 = 0.8774. Three: C is 1/11, and
    // 1 - exp(-(3 - 1)) / 11 = 0.9877. One: C is the load itself; 1 - 0.5 exp(-(1 - 0.5) 2) = 0.8161.
    [Theory]
    [InlineData(1, 2, 1, 0.877373)]
    [InlineData(1, 3, 1, 0.987697)]
    [InlineData(1, 2, 0, 2.0 / 3)]
    [InlineData(0.5, 1, 2, 0.816060)]
    [InlineData(2, 2, 1, 0)]
    [InlineData(3, 2, 1, 0)]
    [InlineData(1, 0, 1, 0)]
    public void A_request_waits_no_longer_with_the_probability_of_a_queue_with_n_servers(double load, int instances, double executions, double expected) =>
        Assert.Equal(expected, PagurusPolicy.ServedWithin(load, instances, executions), 5);

    [Fact]
    public void Many_instances_are_no_overflow() => Assert.Equal(1, PagurusPolicy.ServedWithin(900, 1024, 1), 5);
}
