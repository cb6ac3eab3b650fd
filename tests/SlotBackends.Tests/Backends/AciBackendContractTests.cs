using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Http;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests.Backends;

/// <summary>The contract on Azure.ResourceManager's generic resources, over HTTP.</summary>
public sealed class AciOnGenericResourcesTests : RemoteSlotBackendContract
{
    protected override async Task<RemoteBackendHarness> StartRemoteAsync() => await AciHarness.StartAsync(
        (connection, options) => new GenericContainerGroups(connection.MakeClient(options), options.Subscription));
}

/// <summary>The ACI backend on the fake Resource Manager.</summary>
internal sealed class AciHarness : RemoteBackendHarness
{
    private readonly FakeArmServer _fake;

    private AciHarness(FakeArmServer fake, AciBackend backend)
    {
        _fake = fake;
        Backend = backend;
    }

    public override ISlotBackend Backend { get; }

    public override IReadOnlyCollection<BackendSlotId> Existing => [.. _fake.Groups.Select(g => new BackendSlotId(g.Id))];

    public static AciOptions OptionsFor(FakeArmServer fake) => new()
    {
        Owner = "test",
        GenericResources = true,
        Subscription = FakeArmServer.Subscription,
        Places = [new AciPlace("slots", "westeurope")],
        Images = new Dictionary<string, string> { ["*"] = "example/runtime:1" },
        Port = fake.ContainerPort,
        Start = new InstanceStart { Init = InitMode.HttpInit, PollDelay = TimeSpan.FromMilliseconds(5) },
        MaxRetries = 0,
        MaxGroupsPerRegion = 1000,
        MaxCoresPerRegion = 1000,
        CreateLimits = [],
        DeleteLimits = [],
        PollDelay = TimeSpan.FromMilliseconds(2),
    };

    public static async Task<AciHarness> StartAsync(Func<ArmConnection, AciOptions, IContainerGroups> open)
    {
        var fake = await FakeArmServer.StartAsync();
        fake.MaxGroupsPerRegion = 1000;
        var options = OptionsFor(fake);
        return new AciHarness(fake, new AciBackend(open(new ArmConnection { Endpoint = fake.Address }, options), options, TimeProvider.System));
    }

    public override void Lose(BackendSlotId slot) => _fake.Lose(slot.Value);

    public override void NextCreateIsThrottled() => _fake.Puts.Enqueue(ArmFault.Throttled(1));

    public override void NextCreateIsRefused(string reason) => _fake.Puts.Enqueue(ArmFault.Error(400, "InvalidRequestContent", reason));

    public override void NextCreateLosesItsAnswer() => _fake.Puts.Enqueue(new ArmFault { CutsConnection = true, TakesEffect = true });

    public override void NextCreateHangs() => _fake.Puts.Enqueue(new ArmFault { Hangs = true });

    public override async ValueTask DisposeAsync()
    {
        await Backend.DisposeAsync();
        await _fake.DisposeAsync();
    }
}
