/** The part of marked's interface that the console uses. */
export interface Token {
  type: string;
  raw: string;
  text: string;
  lang?: string;
  depth: number;
  href: string;
  title?: string | null;
  checked: boolean;
  block?: boolean;
  tokens: Token[];
}
export interface TokensList extends Array<Token> {
  links: Record<string, unknown>;
}
export interface RendererThis {
  parser: { parseInline(tokens: Token[]): string };
}
export class Marked {
  constructor(options: {
    gfm?: boolean;
    renderer?: Record<string, (this: RendererThis, token: Token) => string | false>;
  });
  lexer(source: string): TokensList;
  parser(tokens: Token[]): string;
}
