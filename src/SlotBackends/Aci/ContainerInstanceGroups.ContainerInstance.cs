using System.Net;
using Azure;
using Azure.Core;
using Azure.ResourceManager;
using Azure.ResourceManager.ContainerInstance;
using Azure.ResourceManager.ContainerInstance.Models;
using Azure.ResourceManager.Models;
using Azure.ResourceManager.Resources;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Container groups through Azure.ResourceManager.ContainerInstance.</summary>
/// <remarks>Claims from a standby pool came to that package after version 1.2; with a pool the generic adapter is used.</remarks>
/// <param name="collectionOf">The groups of a place.</param>
/// <param name="groupOf">A group by its place and name; asks nothing yet.</param>
internal sealed class ContainerInstanceGroups(
    Func<AciPlace, ContainerGroupCollection> collectionOf,
    Func<AciPlace, string, ContainerGroupResource> groupOf) : IContainerGroups
{
    /// <summary>A list of more groups is no list: Azure allows some hundreds in a region.</summary>
    private const int MostGroups = 100_000;

    public ContainerInstanceGroups(ArmClient client, string subscription)
        : this(
            place => client.GetResourceGroupResource(ResourceGroupResource.CreateResourceIdentifier(subscription, place.ResourceGroup)).GetContainerGroups(),
            (place, name) => client.GetContainerGroupResource(ContainerGroupResource.CreateResourceIdentifier(subscription, place.ResourceGroup, name)))
    {
    }

    public async Task<IGroupOperation> PutAsync(ContainerGroupSpec spec, CancellationToken cancellationToken) => new ArmGroupOperation(
        await ArmAnswers.ReadAsync(() => collectionOf(spec.Place).CreateOrUpdateAsync(WaitUntil.Started, spec.Name, DataOf(spec), cancellationToken)).ConfigureAwait(false));

    public async Task<IGroupOperation?> DeleteAsync(AciPlace place, string name, CancellationToken cancellationToken)
    {
        try
        {
            Operation operation = await ArmAnswers.ReadAsync(() => groupOf(place, name).DeleteAsync(WaitUntil.Started, cancellationToken)).ConfigureAwait(false);
            return operation.GetRawResponse().Status == (int)HttpStatusCode.NoContent ? null : new ArmGroupOperation(operation);
        }
        catch (RequestFailedException e) when (e.Status == (int)HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    public async Task<ContainerGroupInfo?> GetAsync(AciPlace place, string name, CancellationToken cancellationToken)
    {
        var response = await ArmAnswers.ReadAsync(() => collectionOf(place).GetIfExistsAsync(name, cancellationToken)).ConfigureAwait(false);
        return response.HasValue ? InfoOf(response.Value!.Data) : null;
    }

    public Task<IReadOnlyList<ContainerGroupInfo>> ListAsync(AciPlace place, CancellationToken cancellationToken) => ArmAnswers.ReadAsync(async () =>
    {
        var groups = new List<ContainerGroupInfo>();
        await foreach (var group in collectionOf(place).GetAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (groups.Count == MostGroups)
            {
                throw new RequestFailedException((int)HttpStatusCode.BadGateway, $"the list of container groups has more than {MostGroups}");
            }

            groups.Add(InfoOf(group.Data));
        }

        return (IReadOnlyList<ContainerGroupInfo>)groups;
    });

    internal static ContainerGroupData DataOf(ContainerGroupSpec spec)
    {
        var options = spec.Options;
        var container = new ContainerInstanceContainer(
            ContainerGroupJson.ContainerName,
            spec.Image,
            new ContainerResourceRequirements(new ContainerResourceRequestsContent(spec.Size.MemoryGb, spec.Size.Cores)));
        foreach (var (name, value) in spec.Environment)
        {
            container.EnvironmentVariables.Add(new ContainerEnvironmentVariable(name) { Value = value });
        }

        var isPrivate = options.SubnetId.Length > 0;
        var data = new ContainerGroupData(new AzureLocation(spec.Place.Region), [container], ContainerInstanceOperatingSystemType.Linux)
        {
            RestartPolicy = ContainerGroupRestartPolicy.Never,
            Priority = options.Spot ? ContainerGroupPriority.Spot : ContainerGroupPriority.Regular,
        };
        if (!options.Spot)
        {
            container.Ports.Add(new ContainerPort(options.Port));
            data.IPAddress = new ContainerGroupIPAddress(
                [new ContainerGroupPort(options.Port)],
                isPrivate ? ContainerGroupIPAddressType.Private : ContainerGroupIPAddressType.Public);
        }

        if (isPrivate)
        {
            data.SubnetIds.Add(new ContainerGroupSubnetId(new ResourceIdentifier(options.SubnetId)));
        }

        if (options.RegistryServer.Length > 0)
        {
            data.ImageRegistryCredentials.Add(new ContainerGroupImageRegistryCredential(options.RegistryServer) { Identity = options.RegistryIdentityId });
        }

        if (options.LogWorkspaceId.Length > 0)
        {
            data.DiagnosticsLogAnalytics = new ContainerGroupLogAnalytics(options.LogWorkspaceId, options.LogWorkspaceKey);
        }

        foreach (var identity in ContainerGroupJson.Identities(options))
        {
            data.Identity ??= new ManagedServiceIdentity(ManagedServiceIdentityType.UserAssigned);
            data.Identity.UserAssignedIdentities[new ResourceIdentifier(identity)] = new UserAssignedIdentity();
        }

        foreach (var (name, value) in spec.Tags)
        {
            data.Tags[name] = value;
        }

        return data;
    }

    internal static ContainerGroupInfo InfoOf(ContainerGroupData data) => new(
        data.Name,
        data.ProvisioningState ?? "",
        data.IPAddress?.IP?.ToString(),
        new Dictionary<string, string>(data.Tags),
        data.Containers.Sum(c => c.Resources?.Requests?.Cpu ?? 0),
        ContainerGroupInfo.EndOf(
            data.RestartPolicy?.ToString(),
            data.InstanceView?.State,
            data.Containers.Select(c => (c.InstanceView?.CurrentState?.State, c.InstanceView?.CurrentState?.ExitCode, c.InstanceView?.CurrentState?.DetailStatus))));
}
