using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Runtime;

public class ReleasesFirstTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);

    [Fact]
    public async Task A_release_that_waits_for_the_lock_is_taken_in_before_an_assign()
    {
        var time = new ManualTimeProvider();
        await using var backend = new FakeBackend(time);
        await using var executor = new CoreExecutor(new ScalerCore(PolicyCatalog.Parse("ttl:60"), new SlotPoolOptions()), backend, null, new ScalerRuntimeOptions(), time, NullLogger.Instance);
        var first = await executor.AssignAsync(F, new RequestId("r1"), null, CancellationToken.None);
        Task<ReleaseOutcome>? release = null;

        // With the lock held by this thread, which may take it again.
        var second = executor.Look(_ =>
        {
            release = Task.Run(() => executor.Release(F.Key, new RequestId("r1"), first.Instance, default));
            Assert.True(SpinWait.SpinUntil(() => executor.WaitingReleases == 1, TimeSpan.FromSeconds(30)));
            return executor.AssignAsync(F, new RequestId("r2"), null, CancellationToken.None);
        });

        Assert.True(second.IsCompletedSuccessfully);
        Assert.Equal(first with { Kind = GrantKind.Warm }, await second);
        Assert.Equal(ReleaseOutcome.Released, await release!);
        Assert.Equal(1, backend.CreatedCount);
    }
}
