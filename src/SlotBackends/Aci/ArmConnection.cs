using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.ResourceManager;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>How Azure Resource Manager is reached and signed in to.</summary>
public sealed partial record ArmConnection
{
    /// <summary>The REST version of container groups; from 2025-09-01 on standby pools can be claimed from.</summary>
    internal const string ApiVersion = "2025-09-01";

    internal static readonly ResourceType GroupType = "Microsoft.ContainerInstance/containerGroups";

    /// <summary>
    /// Where Resource Manager is; null for Azure's public cloud. Plain http is for a stand-in on this machine: nothing that signs in
    /// anywhere is sent there.
    /// </summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Who the scaler is; null for Azure.Identity's default.</summary>
    public TokenCredential? Credential { get; init; }

    /// <summary>Answers in place of Azure, in a simulated world: its time-outs are the world's own, and nobody signs in. Null for the network.</summary>
    internal HttpMessageHandler? Simulated { get; init; }

    /// <summary>The adapter on the package for container groups where it was compiled, else the one on generic resources.</summary>
    internal IContainerGroups Open(AciOptions options)
    {
        var client = MakeClient(options);
        IContainerGroups? typed = null;
        if (!options.GenericResources && !AciOptionsValidation.HasStandbyPool(options))
        {
            OpenTyped(client, options, ref typed);
        }

        return typed ?? new GenericContainerGroups(client, options.Subscription);
    }

    internal ArmClient MakeClient(AciOptions options)
    {
        var settings = new ArmClientOptions();
        settings.SetApiVersion(GroupType, ApiVersion);

        // The backend tries again by itself: on the scaler's clock, and knowing what may be repeated.
        settings.Retry.MaxRetries = 0;
        if (Simulated is not null)
        {
            settings.Retry.NetworkTimeout = Timeout.InfiniteTimeSpan;
            settings.Transport = new HttpClientTransport(new BoundedAnswers(Simulated));
            return new ArmClient(new NoCredential(), options.Subscription, settings);
        }

        if (Endpoint is { Scheme: "http", IsLoopback: true })
        {
            var secure = new UriBuilder(Endpoint) { Scheme = Uri.UriSchemeHttps }.Uri;
            settings.Environment = new ArmEnvironment(secure, secure.AbsoluteUri);
            settings.Transport = new HttpClientTransport(new BoundedAnswers(new PlainLoopbackHandler()));
            return new ArmClient(new NoCredential(), options.Subscription, settings);
        }

        if (Endpoint is not null)
        {
            settings.Environment = new ArmEnvironment(Endpoint, Endpoint.AbsoluteUri);
        }

        settings.Transport = BoundedAnswers.Transport();
        var credential = Credential ?? new DefaultAzureCredential(new DefaultAzureCredentialOptions
        {
            Transport = BoundedAnswers.Transport(),
            ManagedIdentityClientId = options.CredentialClientId.Length > 0 ? options.CredentialClientId : null,
        });
        return new ArmClient(credential, options.Subscription, settings);
    }

    static partial void OpenTyped(ArmClient client, AciOptions options, ref IContainerGroups? groups);
}
