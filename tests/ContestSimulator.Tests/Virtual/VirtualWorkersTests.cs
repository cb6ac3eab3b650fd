using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Traces.Presets;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>The workers of the Functions app in virtual time.</summary>
public sealed class VirtualWorkersTests
{
    [Fact]
    public void One_worker_decides_as_the_self_host_does()
    {
        var (alone, worker) = (Run("ttl:20", null), Run("ttl:20", new VirtualWorkerOptions()));

        Assert.Equal((alone.Score.Total, alone.ColdStarts, alone.Waited), (worker.Score.Total, worker.ColdStarts, worker.Waited));
        Assert.Equal(("ttl:20", "ttl:20 @1"), (alone.Policy, worker.Policy));
        Assert.Null(alone.Traffic);
        Assert.True(worker.Traffic!.Reports > 0);
    }

    [Fact]
    public void Requests_share_instances_at_one_worker_as_in_the_self_host_and_at_each_of_several()
    {
        var (alone, worker) = (Run("ttl:20", null, 4), Run("ttl:20", new VirtualWorkerOptions(), 4));
        Assert.Equal((alone.Score.Total, alone.ColdStarts, alone.Waited), (worker.Score.Total, worker.ColdStarts, worker.Waited));

        // Each worker shares what is its own: fewer instances than with one request each, and more than one worker needs.
        var workers = new VirtualWorkerOptions { Count = 3, Routing = WorkerRouting.Random };
        Assert.InRange(Run("ttl:20", workers, 4).ColdStarts, worker.ColdStarts, Run("ttl:20", workers).ColdStarts);
    }

    [Theory]
    [InlineData("adaptive", WorkerRouting.Random)]
    [InlineData("ttl:300", WorkerRouting.Function)]
    [InlineData("provisioned:2", WorkerRouting.Random)]
    public void The_same_input_gives_the_same_result(string policy, WorkerRouting routing)
    {
        var workers = new VirtualWorkerOptions { Count = 3, Routing = routing };
        var (one, other) = (Run(policy, workers), Run(policy, workers));

        Assert.Equal(one.Score, other.Score);
        Assert.Equal(one.Traffic, other.Traffic);
    }

    [Fact]
    public void Releases_meet_their_instances_where_a_functions_requests_go_to_one_worker()
    {
        var (random, function) = (Run("ttl:60", new VirtualWorkerOptions { Count = 4 }), Run("ttl:60", new VirtualWorkerOptions { Count = 4, Routing = WorkerRouting.Function }));

        Assert.Equal(0, function.Traffic!.ForwardedReleases);
        Assert.InRange(random.Traffic!.ForwardedReleases / (double)random.Score.Requests, 0.6, 0.9);
        Assert.True(function.Score.Total > random.Score.Total);
    }

    [Fact]
    public void An_idle_instance_goes_over_the_ledger_to_the_worker_that_needs_it()
    {
        // Five requests, a minute and a half apart: a worker parks what it has not used for a minute, and whichever is asked next has it.
        var requests = Enumerable.Range(0, 5).Select(i => ListTrace.Request(i * 90_000, 100)).ToArray();
        var result = VirtualContest.Run(
            new ListTrace([ListTrace.Function("f", 1024, 5000)], requests), PolicyCatalog.Parse("ttl:300"), new VirtualOptions { Workers = new VirtualWorkerOptions { Count = 8, Seed = 3 } });

        Assert.Equal((5, 1), (result.Score.Requests, result.ColdStarts));
        Assert.InRange(result.Waited, 2, 4);
    }

    /// <summary>A worker sees the requests that come to it: where those that follow come to it too, it prepares for them as a scaler that is alone.</summary>
    [Fact]
    public void A_worker_prepares_for_functions_that_follow_where_their_requests_meet()
    {
        var none = Follow(null, groups: false);
        var alone = Follow(null);
        Assert.InRange(Follow(new VirtualWorkerOptions(), groups: false).WaitSeconds, 0.9 * none.WaitSeconds, 1.1 * none.WaitSeconds);
        Assert.InRange(Follow(new VirtualWorkerOptions()).WaitSeconds, 0.8 * alone.WaitSeconds, 1.2 * alone.WaitSeconds);
        Assert.InRange(alone.WaitSeconds, 0, 0.6 * none.WaitSeconds);
        Assert.InRange(Follow(new VirtualWorkerOptions { Count = 4, Routing = WorkerRouting.Group }).WaitSeconds, 0.8 * alone.WaitSeconds, 1.2 * alone.WaitSeconds);
    }

    [Fact]
    public void Workers_and_ledgers_keep_floors_ceilings_and_times()
    {
        var trace = PresetCatalog.Create("dense", 1, 600);
        var busiest = trace.ReadRequests().CountBy(r => r.Function).MaxBy(c => c.Value).Key;
        var options = new VirtualOptions { Pool = new SlotPoolOptions { LatencyPriceGbs = 0.5 }, Workers = new VirtualWorkerOptions { Count = 2, Routing = WorkerRouting.Function } };
        var (plain, aimed) = (Limited(FunctionLimits.None), Limited(new FunctionLimits { Slo = TimeSpan.FromMilliseconds(100) }));
        Assert.InRange(aimed.WaitSeconds, 0, 0.75 * plain.WaitSeconds);
        Assert.InRange(Limited(new FunctionLimits { MaxInstances = 1 }).PeakInstances, 1, 1);
        Assert.True(Limited(new FunctionLimits { MinInstances = 30 }).PeakInstances >= 30);

        FunctionOutcome Limited(FunctionLimits limits) => VirtualContest.Run(
            trace, PolicyCatalog.Parse("adaptive"), options with { Limits = key => key == trace.Functions[busiest].Meta.Key ? limits : FunctionLimits.None }).Functions[busiest];
    }

    private static VirtualResult Follow(VirtualWorkerOptions? workers, bool groups = true)
    {
        int[] fanOuts = [1, 2, 3, 4, 6, 8];
        double[] delays = [0.5, 1, 2, 4, 8, 15];
        return VirtualContest.Run(
            PresetCatalog.Create("workflows", 1, 1800),
            PolicyCatalog.Parse("ttl:2"),
            new VirtualOptions
            {
                Workers = workers,
                Groups = !groups ? [] : [.. Enumerable.Range(0, 12).Select(i => new FunctionGroup(new MetaKey($"w{i + 1:00}-first"), new MetaKey($"w{i + 1:00}-each"), fanOuts[i % 6])
                {
                    Delay = TimeSpan.FromSeconds(delays[i * 5 % 6]),
                })],
            });
    }

    private static VirtualResult Run(string policy, VirtualWorkerOptions? workers, int concurrency = 1) => VirtualContest.Run(
        new SharedTrace(PresetCatalog.Create("dense", 1, 60), concurrency), PolicyCatalog.Parse(policy), new VirtualOptions { Workers = workers });
}
