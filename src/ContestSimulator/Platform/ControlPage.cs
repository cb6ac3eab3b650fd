using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>A page of the platform's control server, which knows nothing of pages itself.</summary>
/// <param name="AddServices">Registers what the page needs.</param>
/// <param name="Map">Maps <c>GET /</c>, for those who ask for HTML, and whatever the page asks for.</param>
public sealed record ControlPage(Action<IServiceCollection> AddServices, Action<IEndpointRouteBuilder> Map);
