using FuncScaler.Leasing.Ledger;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.SlotBackends.Fake;

namespace FuncScaler.Tests.Engine;

/// <summary>The durable half on the real storage provider, without a host.</summary>
[Collection(StorageDefinition.Name)]
public sealed class AzuriteEngineTests(StorageFixture storage)
{
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "go", 60, 128);

    private readonly FakeBackend _backend = new(TimeProvider.System);

    [HostFact]
    public async Task A_wish_for_instances_is_carried_out_and_the_next_process_goes_on_from_there()
    {
        var hub = StorageFixture.NewHub();
        await using (var first = new AzuriteEngine(storage.Storage, hub, _backend))
        {
            await first.StartAsync();
            await first.SignalAsync(Function.Key, nameof(SlotPoolEntity.SetProvisioned), new ProvisionedWish(Function, 2));
            await Waiting.UntilAsync("two slots are idle", App.Limit, async () => await IdleAsync(first) == 2);
            Assert.Equal(2, _backend.Existing.Count);
            await first.CrashAsync();
        }

        await using var second = new AzuriteEngine(storage.Storage, hub, _backend);
        await second.StartAsync();
        await second.SignalAsync(Function.Key, nameof(SlotPoolEntity.SetProvisioned), new ProvisionedWish(Function, 3));
        await Waiting.UntilAsync("three slots are idle", App.Limit, async () => await IdleAsync(second) == 3);
        Assert.Equal(3, _backend.Existing.Count);
    }

    [HostFact]
    public async Task A_crash_in_the_middle_of_provisioning_leaves_nothing_behind()
    {
        var hub = StorageFixture.NewHub();
        await using (var first = new AzuriteEngine(storage.Storage, hub, _backend))
        {
            await first.StartAsync();
            await first.SignalAsync(Function.Key, nameof(SlotPoolEntity.SetProvisioned), new ProvisionedWish(Function, 4));
            await Waiting.UntilAsync("a slot exists", App.Limit, () => _backend.Existing.Count > 0);
            await first.CrashAsync();
        }

        await using var second = new AzuriteEngine(storage.Storage, hub, _backend);
        await second.StartAsync();
        await Waiting.UntilAsync("four slots are idle", App.Limit, async () => await IdleAsync(second) == 4);
        Assert.Equal(4, _backend.Existing.Count);
    }

    private static async Task<int> IdleAsync(AzuriteEngine engine) =>
        (await engine.ReadAsync(Function.Key))?.Slots.Values.Count(s => s.State == LedgerSlotState.Idle) ?? 0;
}
