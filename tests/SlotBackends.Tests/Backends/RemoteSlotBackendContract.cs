using FuncScaler.SlotBackends;

namespace FuncScaler.Tests.Backends;

/// <summary>What every <see cref="ISlotBackend"/> does whose platform is reached over a network, or might be.</summary>
public abstract class RemoteSlotBackendContract : SlotBackendContract
{
    protected abstract Task<RemoteBackendHarness> StartRemoteAsync();

    protected override async Task<BackendHarness> StartAsync() => await StartRemoteAsync();

    [Fact]
    public async Task Throttling_is_reported_as_such()
    {
        await using var harness = await StartRemoteAsync();
        harness.NextCreateIsThrottled();

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Throttled, e.Failure.Kind);
        Assert.False(e.Failure.OutcomeUnknown);
        Assert.Empty(harness.Existing);
    }

    [Fact]
    public async Task A_refusal_for_good_is_reported_as_such_with_its_reason()
    {
        await using var harness = await StartRemoteAsync();
        harness.NextCreateIsRefused("there is no such size");

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
        Assert.Contains("there is no such size", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_create_whose_answer_is_lost_has_an_unknown_outcome()
    {
        await using var harness = await StartRemoteAsync();
        harness.NextCreateLosesItsAnswer();

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.True(e.Failure.OutcomeUnknown);
        Assert.Single(harness.Existing);
    }

    [Fact]
    public async Task A_call_under_way_can_be_cancelled()
    {
        await using var harness = await StartRemoteAsync();
        harness.NextCreateHangs();
        using var cancellation = new CancellationTokenSource();

        var create = harness.Backend.CreateAsync(new SlotTicket(1), Function, cancellation.Token);
        Assert.False(create.IsCompleted);
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
    }
}

/// <summary>A backend whose platform fails when told to.</summary>
public abstract class RemoteBackendHarness : BackendHarness
{
    public abstract void NextCreateIsThrottled();

    public abstract void NextCreateIsRefused(string reason);

    public abstract void NextCreateLosesItsAnswer();

    public abstract void NextCreateHangs();
}
