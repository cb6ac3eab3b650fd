using System.Collections.Concurrent;
using System.Diagnostics;
using FuncScaler.Leasing;
using FuncScaler.Policies;
using FuncScaler.Runtime.Rehearsing;
using FuncScaler.Runtime.Telemetry;

namespace FuncScaler.Tests.Rehearsing;

public sealed class RehearsalTests
{
    private static readonly PolicyChoice Policy = PolicyCatalog.Parse(PolicyCatalog.Default);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_rehearsal_plays_to_its_end(bool worker) => Assert.Null(await RunAsync(worker, CancellationToken.None));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_rehearsal_that_is_no_longer_wanted_ends(bool worker)
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(worker, cancelled.Token));
    }

    [Fact]
    public async Task A_rehearsal_that_is_no_longer_wanted_while_its_requests_wait_ends()
    {
        using var cancelled = new CancellationTokenSource();
        var policy = new PolicyChoice("impatient", _ => new CancellingPolicy(cancelled));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Rehearsal.RunAsync(policy, new SlotPoolOptions(), TimeProvider.System, cancelled.Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_rehearsal_leaves_no_traces(bool worker)
    {
        var functions = new ConcurrentQueue<object?>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ScalerTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity => functions.Enqueue(activity.GetTagItem("funcscaler.function")),
        };
        ActivitySource.AddActivityListener(listener);

        Assert.Null(await RunAsync(worker, CancellationToken.None));

        // Other tests of this process may leave some of their own.
        Assert.DoesNotContain(functions, function => function is string key && key.StartsWith("rehearsal", StringComparison.Ordinal));
    }

    private static Task<string?> RunAsync(bool worker, CancellationToken cancellationToken) => worker
        ? Rehearsal.RunAsync(Policy, new LeasingOptions(), TimeProvider.System, cancellationToken)
        : Rehearsal.RunAsync(Policy, new SlotPoolOptions(), TimeProvider.System, cancellationToken);

    /// <summary>The first arrival ends the rehearsal.</summary>
    private sealed class CancellingPolicy(CancellationTokenSource source) : IKeepAlivePolicy
    {
        public void RequestArrived(in PoolView pool) => source.Cancel();

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.LetGoNow;
    }
}
