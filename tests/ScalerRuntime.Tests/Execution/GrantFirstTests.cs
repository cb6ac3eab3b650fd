using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Runtime;

public sealed class GrantFirstTests : IAsyncLifetime
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);

    private readonly ManualTimeProvider _time = new();
    private readonly FakeBackend _backend;
    private readonly CountingPolicy _policy = new();
    private readonly CoreExecutor _executor;
    private AssignedInstance _idle;

    public GrantFirstTests()
    {
        _backend = new FakeBackend(_time);
        _executor = new CoreExecutor(
            new ScalerCore(new PolicyChoice("counting", _ => _policy), new SlotPoolOptions()),
            _backend,
            null,
            new ScalerRuntimeOptions(),
            _time,
            NullLogger.Instance);
    }

    public async Task InitializeAsync()
    {
        _idle = await AssignAsync("r1");
        _executor.Release(F.Key, new RequestId("r1"), _idle.Instance, default);
        _executor.Look(_ => 0);
    }

    [Fact]
    public async Task A_warm_request_has_its_instance_before_the_policy_looks_again()
    {
        var looks = _policy.Looks;

        Assert.Equal(_idle.Instance, (await AssignAsync("r2")).Instance);

        Assert.Equal(looks, _policy.Looks);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(looks + 1, _policy.Looks);
    }

    [Fact]
    public async Task The_next_event_finds_what_was_learned_before_it()
    {
        var looks = _policy.Looks;
        var second = await AssignAsync("r2");

        _executor.Release(F.Key, new RequestId("r2"), second.Instance, default);

        Assert.Equal(looks + 1, _policy.Looks);
        Assert.Equal(looks + 2, _executor.Look(_ => _policy.Looks));
    }

    public async Task DisposeAsync()
    {
        await _executor.DisposeAsync();
        await _backend.DisposeAsync();
    }

    private async Task<AssignedInstance> AssignAsync(string request) =>
        await _executor.AssignAsync(F, new RequestId(request), null, CancellationToken.None);

    /// <summary>Holds instances for good, and counts how often it is asked what it wants ahead.</summary>
    private sealed class CountingPolicy : IKeepAlivePolicy
    {
        public int Looks { get; private set; }

        public bool HasStandby => true;

        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldForGood;

        public StandbyPlan Standby(in PoolView pool)
        {
            Looks++;
            return StandbyPlan.None;
        }
    }
}
