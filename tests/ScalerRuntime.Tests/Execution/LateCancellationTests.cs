using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Soaking;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Execution;

/// <summary>Callers that go away after the answer to their request has been decided, and before they hear of it.</summary>
public sealed class LateCancellationTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 128);
    private static readonly RequestId R = new("r");

    /// <summary>Found by funcscaler soak: the id had come again meanwhile, and its new request lost its instance.</summary>
    [Fact]
    public async Task A_caller_that_goes_away_once_its_request_is_rejected_takes_nothing_from_a_later_one_with_its_id()
    {
        var (clock, answers, started) = (new SoakClock(), new List<Action>(), new List<Func<Task>>());
        await using var runtime = new ScalerRuntime(
            new FakeBackend(clock),
            PolicyCatalog.Parse("ttl:300"),
            new ScalerRuntimeOptions(),
            clock,
            NullLogger<ScalerRuntime>.Instance,
            new Scheduling(started.Add, TaskCreationOptions.None, answers.Add));
        using var leaving = new CancellationTokenSource();
        var first = runtime.AssignAsync(F, R, TimeSpan.FromSeconds(1), leaving.Token).AsTask();
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Single(answers);

        for (var i = 0; i < started.Count; i++)
        {
            await started[i]();
        }

        var second = await runtime.AssignAsync(F, R, null, CancellationToken.None);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);

        Assert.Equal(ReleaseOutcome.Released, runtime.Release(F.Key, R, second.Instance, default));
    }
}
