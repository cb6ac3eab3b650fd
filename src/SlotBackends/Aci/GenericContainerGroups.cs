using System.Text.Json;
using Azure;
using Azure.Core;
using Azure.ResourceManager;
using Azure.ResourceManager.Models;
using Azure.ResourceManager.Resources;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// Container groups through Azure.ResourceManager's generic resources, where the package for them is missing. The list is the resource
/// provider's own: the generic one is a cache of Azure's that may be minutes old.
/// </summary>
internal sealed class GenericContainerGroups(ArmClient client, string subscription) : IContainerGroups
{
    public async Task<IGroupOperation> PutAsync(ContainerGroupSpec spec, CancellationToken cancellationToken)
    {
        var data = new GenericResourceData(new AzureLocation(spec.Place.Region)) { Properties = ContainerGroupJson.Properties(spec) };
        foreach (var (name, value) in spec.Tags)
        {
            data.Tags[name] = value;
        }

        foreach (var identity in ContainerGroupJson.Identities(spec.Options))
        {
            data.Identity ??= new ManagedServiceIdentity(ManagedServiceIdentityType.UserAssigned);
            data.Identity.UserAssignedIdentities[new ResourceIdentifier(identity)] = new UserAssignedIdentity();
        }

        return new ArmGroupOperation(await ArmAnswers.ReadAsync(
            () => client.GetGenericResources().CreateOrUpdateAsync(WaitUntil.Started, IdOf(spec.Place, spec.Name), data, cancellationToken)).ConfigureAwait(false));
    }

    public async Task<IGroupOperation?> DeleteAsync(AciPlace place, string name, CancellationToken cancellationToken)
    {
        try
        {
            var operation = await ArmAnswers.ReadAsync(
                () => client.GetGenericResource(IdOf(place, name)).DeleteAsync(WaitUntil.Started, cancellationToken)).ConfigureAwait(false);
            return operation.GetRawResponse().Status == 204 ? null : new ArmGroupOperation(operation);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    public async Task<ContainerGroupInfo?> GetAsync(AciPlace place, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await ArmAnswers.ReadAsync(async () =>
            {
                var resource = await client.GetGenericResource(IdOf(place, name)).GetAsync(cancellationToken).ConfigureAwait(false);
                using var properties = JsonDocument.Parse(resource.Value.Data.Properties);
                return ContainerGroupJson.Read(resource.Value.Data.Name, resource.Value.Data.Tags, properties.RootElement);
            }).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    public Task<IReadOnlyList<ContainerGroupInfo>> ListAsync(AciPlace place, CancellationToken cancellationToken) => ArmAnswers.ReadAsync(
        () => new GroupList(client, ResourceGroupResource.CreateResourceIdentifier(subscription, place.ResourceGroup)).ReadAsync(cancellationToken));

    private ResourceIdentifier IdOf(AciPlace place, string name) => ResourceGroupResource
        .CreateResourceIdentifier(subscription, place.ResourceGroup)
        .AppendProviderResource(ArmConnection.GroupType.Namespace, ArmConnection.GroupType.Type, name);

    /// <summary>The provider's list of a resource group, read through the client's own pipeline.</summary>
    private sealed class GroupList(ArmClient client, ResourceIdentifier resourceGroup) : ArmResource(client, resourceGroup)
    {
        /// <summary>A list longer than this is no list: Azure's pages hold a hundred groups and more.</summary>
        private const int MostPages = 1000;

        /// <summary>And so is one with more bytes, in all its pages.</summary>
        private const long LongestList = 4L * BoundedAnswers.LongestAnswer;

        public async Task<IReadOnlyList<ContainerGroupInfo>> ReadAsync(CancellationToken cancellationToken)
        {
            var pages = 0;
            var bytes = 0L;
            var groups = new List<ContainerGroupInfo>();
            var next = new Uri(Endpoint, $"{Id}/providers/{ArmConnection.GroupType}?api-version={ArmConnection.ApiVersion}");
            while (next is not null)
            {
                using var message = Pipeline.CreateMessage();
                message.Request.Method = RequestMethod.Get;
                message.Request.Uri.Reset(next);
                message.Request.Headers.Add("Accept", "application/json");
                await Pipeline.SendAsync(message, cancellationToken).ConfigureAwait(false);
                if (message.Response.Status != 200)
                {
                    throw new RequestFailedException(message.Response);
                }

                if (++pages > MostPages)
                {
                    throw Unreadable($"it has more than {MostPages} pages");
                }

                bytes += message.Response.Content.ToMemory().Length;
                if (bytes > LongestList)
                {
                    throw Unreadable($"it is longer than {LongestList >> 20} MB");
                }

                using var page = JsonDocument.Parse(message.Response.Content);
                groups.AddRange(page.RootElement.GetProperty("value").EnumerateArray().Select(ContainerGroupJson.Read));
                next = page.RootElement.TryGetProperty("nextLink", out var link) && link.GetString() is { Length: > 0 } text ? new Uri(text) : null;

                // The scaler's token goes nowhere but to Resource Manager.
                if (next is not null && next.Authority != Endpoint.Authority)
                {
                    throw Unreadable($"it goes on at {next.Authority}, which is not {Endpoint.Authority}");
                }
            }

            return groups;
        }

        private static RequestFailedException Unreadable(string why) => new(502, $"the list of container groups cannot be read: {why}");
    }
}
