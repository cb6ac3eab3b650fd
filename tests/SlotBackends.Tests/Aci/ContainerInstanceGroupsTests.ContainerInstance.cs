using System.Net;
using Azure;
using Azure.Core;
using Azure.ResourceManager;
using Azure.ResourceManager.ContainerInstance;
using Azure.ResourceManager.ContainerInstance.Models;
using Azure.ResourceManager.Resources;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.Tests.Backends;

namespace FuncScaler.Tests.Aci;

/// <summary>
/// The contract on the adapter for Azure.ResourceManager.ContainerInstance. The package's clients are replaced, by the overriding that it
/// offers for tests, with ones that call the fake through generic resources: what is tested is the adapter, not the package.
/// </summary>
public sealed class AciOnContainerInstanceTests : RemoteSlotBackendContract
{
    protected override async Task<RemoteBackendHarness> StartRemoteAsync() => await AciHarness.StartAsync(Open);

    [Fact]
    public void Everything_that_is_configured_is_in_the_group()
    {
        var options = new AciOptions
        {
            Port = 9000,
            SubnetId = "/subscriptions/x/subnet",
            RegistryServer = "example.azurecr.io",
            RegistryIdentityId = "/subscriptions/x/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull",
            IdentityIds = ["/subscriptions/x/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/run"],
            LogWorkspaceId = "workspace",
            LogWorkspaceKey = "key",
        };
        var data = ContainerInstanceGroups.DataOf(new ContainerGroupSpec(
            options,
            new AciPlace("slots", "westeurope"),
            "name",
            "image",
            new AciSize(1.5, 0.8),
            new Dictionary<string, string> { ["MODE"] = "x" },
            new Dictionary<string, string> { ["team"] = "a" }));

        var container = Assert.Single(data.Containers);
        Assert.Equal(("image", 1.5, 0.8), (container.Image, container.Resources.Requests.MemoryInGB, container.Resources.Requests.Cpu));
        Assert.Equal(("MODE", "x"), (container.EnvironmentVariables[0].Name, container.EnvironmentVariables[0].Value));
        Assert.Equal((9000, 9000), (container.Ports[0].Port, data.IPAddress.Ports[0].Port));
        Assert.Equal((ContainerGroupIPAddressType.Private, ContainerGroupPriority.Regular), (data.IPAddress.AddressType, data.Priority));
        Assert.Equal("/subscriptions/x/subnet", data.SubnetIds[0].Id.ToString());
        Assert.Equal(("example.azurecr.io", options.RegistryIdentityId), (data.ImageRegistryCredentials[0].Server, data.ImageRegistryCredentials[0].Identity));
        Assert.Equal("workspace", data.DiagnosticsLogAnalytics.WorkspaceId);
        Assert.Equal(2, data.Identity.UserAssignedIdentities.Count);
        Assert.Equal(("a", "westeurope"), (data.Tags["team"], data.Location.Name));
    }

    [Fact]
    public void With_a_standby_pool_the_generic_adapter_is_used()
    {
        var connection = new ArmConnection { Endpoint = new Uri("http://127.0.0.1:1") };

        Assert.IsType<ContainerInstanceGroups>(connection.Open(new AciOptions()));
        Assert.IsType<GenericContainerGroups>(connection.Open(new AciOptions { GenericResources = true }));
        Assert.IsType<GenericContainerGroups>(connection.Open(new AciOptions { StandbyPoolId = "/subscriptions/x/pool" }));
    }

    private static ContainerInstanceGroups Open(ArmConnection connection, AciOptions options)
    {
        var client = connection.MakeClient(options);
        var generic = new GenericContainerGroups(client, options.Subscription);
        return new ContainerInstanceGroups(
            place => new Collection(client, generic, options, place),
            (place, name) => new Resource(client, options, place, new ContainerGroupInfo(name, "", null, new Dictionary<string, string>(), 0)));
    }

    private static ResourceIdentifier IdOf(AciOptions options, AciPlace place, string name) =>
        ContainerGroupResource.CreateResourceIdentifier(options.Subscription, place.ResourceGroup, name);

    private sealed class Collection(ArmClient client, GenericContainerGroups generic, AciOptions options, AciPlace place) : ContainerGroupCollection
    {
        public override async Task<ArmOperation<ContainerGroupResource>> CreateOrUpdateAsync(
            WaitUntil waitUntil, string containerGroupName, ContainerGroupData data, CancellationToken cancellationToken = default)
        {
            var container = data.Containers[0];
            var generic = new GenericResourceData(data.Location)
            {
                Properties = BinaryData.FromObjectAsJson(new
                {
                    osType = data.OSType.ToString(),
                    containers = new[]
                    {
                        new
                        {
                            name = container.Name,
                            properties = new
                            {
                                image = container.Image,
                                resources = new { requests = new { memoryInGB = container.Resources.Requests.MemoryInGB, cpu = container.Resources.Requests.Cpu } },
                            },
                        },
                    },
                }),
            };
            foreach (var (name, value) in data.Tags)
            {
                generic.Tags[name] = value;
            }

            return new CreateOperation(await client.GetGenericResources().CreateOrUpdateAsync(
                waitUntil, IdOf(options, place, containerGroupName), generic, cancellationToken));
        }

        public override async Task<NullableResponse<ContainerGroupResource>> GetIfExistsAsync(string containerGroupName, CancellationToken cancellationToken = default)
        {
            var info = await generic.GetAsync(place, containerGroupName, cancellationToken);
            return info is null ? new Nothing() : Response.FromValue<ContainerGroupResource>(new Resource(client, options, place, info), null!);
        }

        public override AsyncPageable<ContainerGroupResource> GetAllAsync(CancellationToken cancellationToken = default) =>
            new List(async () => [.. (await generic.ListAsync(place, cancellationToken)).Select(g => new Resource(client, options, place, g))]);
    }

    private sealed class Resource(ArmClient client, AciOptions options, AciPlace place, ContainerGroupInfo info) : ContainerGroupResource
    {
        public override ContainerGroupData Data => ArmContainerInstanceModelFactory.ContainerGroupData(
            name: info.Name,
            tags: info.Tags.ToDictionary(),
            location: new AzureLocation(place.Region),
            provisioningState: info.ProvisioningState,
            containers: [],
            ipAddress: info.Address is null ? null : new ContainerGroupIPAddress([], ContainerGroupIPAddressType.Public) { IP = IPAddress.Parse(info.Address) });

        public override async Task<ArmOperation<ContainerGroupResource>> DeleteAsync(WaitUntil waitUntil, CancellationToken cancellationToken = default) =>
            new DeleteOperation(await client.GetGenericResource(IdOf(options, place, info.Name)).DeleteAsync(waitUntil, cancellationToken));
    }

    private sealed class List(Func<Task<IReadOnlyList<ContainerGroupResource>>> readAsync) : AsyncPageable<ContainerGroupResource>
    {
        public override async IAsyncEnumerable<Page<ContainerGroupResource>> AsPages(string? continuationToken = null, int? pageSizeHint = null)
        {
            yield return Page<ContainerGroupResource>.FromValues(await readAsync(), null, null!);
        }
    }

    private sealed class Nothing : NullableResponse<ContainerGroupResource>
    {
        public override bool HasValue => false;

        public override ContainerGroupResource? Value => null;

        public override Response GetRawResponse() => throw new NotSupportedException();
    }

    private abstract class Operation<TInner>(TInner inner) : ArmOperation<ContainerGroupResource>
        where TInner : Operation
    {
        public override string Id => inner.Id;

        public override bool HasCompleted => inner.HasCompleted;

        public override bool HasValue => false;

        public override ContainerGroupResource Value => throw new NotSupportedException();

        public override Response GetRawResponse() => inner.GetRawResponse();

        public override Response UpdateStatus(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override ValueTask<Response> UpdateStatusAsync(CancellationToken cancellationToken = default) => inner.UpdateStatusAsync(cancellationToken);
    }

    private sealed class CreateOperation(ArmOperation<GenericResource> inner) : Operation<ArmOperation<GenericResource>>(inner);

    private sealed class DeleteOperation(ArmOperation inner) : Operation<ArmOperation>(inner);
}
