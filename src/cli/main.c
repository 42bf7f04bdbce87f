/* main.c - the program: options and verbs. */
int main(void)
{
	return 0;
}
