using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.ScalerFunctions.Hosting;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

public sealed class HistoryPurgeTests
{
    private readonly EntityDriver _entity = new();
    private readonly FakeDurableClient _client;
    private readonly ScalerAppOptions _options = new() { HistoryKept = TimeSpan.FromHours(2) };

    public HistoryPurgeTests() => _client = new FakeDurableClient(_entity);

    private DateTimeOffset Now => _entity.Time.GetUtcNow();

    [Theory]
    [InlineData(OrchestrationRuntimeStatus.Completed)]
    [InlineData(OrchestrationRuntimeStatus.Failed)]
    [InlineData(OrchestrationRuntimeStatus.Terminated)]
    public async Task What_ended_longer_ago_than_history_is_kept_is_deleted(OrchestrationRuntimeStatus status)
    {
        Add("old", status, ended: TimeSpan.FromHours(2.1));
        Add("new", status, ended: TimeSpan.FromHours(1.9));

        await PurgeAsync();

        Assert.Equal(["new"], Left);
    }

    [Theory]
    [InlineData(OrchestrationRuntimeStatus.Running)]
    [InlineData(OrchestrationRuntimeStatus.Pending)]
    [InlineData(OrchestrationRuntimeStatus.Suspended)]
    public async Task What_has_not_ended_is_kept_however_old_it_is(OrchestrationRuntimeStatus status)
    {
        Add("going-on", status, ended: TimeSpan.FromDays(30));

        await PurgeAsync();

        Assert.Equal(["going-on"], Left);
    }

    [Fact]
    public async Task What_began_long_ago_and_ended_just_now_is_kept()
    {
        Add("slow", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromMinutes(1), began: TimeSpan.FromDays(1));

        await PurgeAsync();

        Assert.Equal(["slow"], Left);
    }

    [Fact]
    public async Task An_entity_is_never_deleted()
    {
        Add("@slotpoolentity@f", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromDays(30));

        await PurgeAsync();

        Assert.Equal(["@slotpoolentity@f"], Left);
    }

    [Fact]
    public async Task A_run_deletes_no_more_than_it_may_and_the_next_one_goes_on()
    {
        _options.MaxPurgesPerRun = 150;
        for (var i = 0; i < 400; i++)
        {
            Add($"destroy-{i}-1", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromHours(3));
        }

        await PurgeAsync();
        Assert.Equal(250, Left.Count);

        await PurgeAsync();
        await PurgeAsync();
        Assert.Empty(Left);
    }

    [Fact]
    public async Task A_run_ends_when_its_time_is_over_without_an_error()
    {
        Add("stuck", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromHours(3));
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _client.OnPurge = (_, cancellation) =>
        {
            asked.SetResult();
            return Task.Delay(Timeout.Infinite, cancellation);
        };

        var run = PurgeAsync();
        await asked.Task;
        Assert.False(run.IsCompleted);
        _entity.Time.Advance(HistoryPurge.MaxRun);

        await run;
        Assert.Equal(["stuck"], Left);
    }

    [Fact]
    public async Task A_stopping_worker_ends_the_run()
    {
        Add("stuck", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromHours(3));
        using var stopping = new CancellationTokenSource();
        _client.OnPurge = async (_, cancellation) =>
        {
            await stopping.CancelAsync();
            await Task.Delay(Timeout.Infinite, cancellation);
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PurgeAsync(stopping.Token));
    }

    [Fact]
    public async Task One_that_cannot_be_deleted_does_not_keep_the_others_from_it()
    {
        Add("a", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromHours(3));
        Add("bad", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromHours(3));
        Add("c", OrchestrationRuntimeStatus.Completed, ended: TimeSpan.FromHours(3));
        _client.OnPurge = (id, _) => id == "bad" ? throw new IOException("the storage says no") : Task.CompletedTask;

        await PurgeAsync();

        Assert.Equal(["bad"], Left);
    }

    private IReadOnlyList<string> Left => [.. _client.Instances.Select(i => i.InstanceId)];

    private void Add(string id, OrchestrationRuntimeStatus status, TimeSpan ended, TimeSpan? began = null) =>
        _client.Instances.Add(new OrchestrationMetadata("O", id)
        {
            RuntimeStatus = status,
            CreatedAt = Now - (began ?? ended + TimeSpan.FromMinutes(1)),
            LastUpdatedAt = Now - ended,
        });

    private Task PurgeAsync(CancellationToken cancellationToken = default) =>
        new HistoryPurge(Options.Create(_options), _entity.Time, NullLogger<HistoryPurge>.Instance)
            .PurgeAsync(new TimerInfo(), _client, cancellationToken);
}
